//! The resources of a publisher, read at its configured address and nowhere else.

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value};
use url::Url;

use crate::remote::{CALL, Remote};

/// A SCIM service provider.
#[derive(Clone)]
pub(super) struct Publisher {
    pub(super) base: Url,
    pub(super) remote: Remote,
}

/// Why a resource could not be read.
#[derive(Debug)]
pub(super) enum FetchError {
    Later(String),
    Unreadable(String),
}

impl Publisher {
    /// A User by its id, which has been checked to be one part of a path. `None`: it is not there any more.
    pub(super) async fn user(&self, id: &str) -> Result<Option<Map<String, Value>>, FetchError> {
        let text = format!("{}/Users/{id}", self.base.as_str().trim_end_matches('/'));
        let url =
            Url::parse(&text).map_err(|_| FetchError::Unreadable("the id cannot be asked for".to_owned()))?;
        let answer = self.remote.call(Method::GET, &url, None, CALL).await;
        let answer = answer.map_err(|error| FetchError::Later(error.to_string()))?;
        match answer.status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            status if status.is_success() => {
                let resource = answer.json::<Value>().map_err(FetchError::Unreadable)?;
                match resource {
                    Value::Object(resource) => Ok(Some(resource)),
                    _ => Err(FetchError::Unreadable("the publisher's resource is none".to_owned())),
                }
            }
            status => Err(FetchError::Later(format!("the publisher answered {}", status.as_u16()))),
        }
    }
}
