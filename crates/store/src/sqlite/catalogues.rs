//! Catalogues on `SQLite`.

use async_trait::async_trait;
use model::{OrgName, Timestamp};
use rusqlite::params;
use salesforce_types::Catalogue;

use super::{
    SqliteStore,
    rows::{self, Doing, to_json},
    writer::Durability,
};
use crate::{Catalogues, StoreError};

const TABLE: &str = "catalogues";
const READ: &str = "read catalogues";

#[async_trait]
impl Catalogues for SqliteStore {
    async fn remember_catalogue(
        &self,
        org: &OrgName,
        catalogue: &Catalogue,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let org = org.clone();
        let catalogue = to_json(TABLE, "a catalogue", catalogue)?;
        // After a power failure the one before it is there, and the org is asked again.
        self.write(Durability::Process, move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO catalogues (org, catalogue, read_ms) VALUES (?1, ?2, ?3)
                     ON CONFLICT (org) DO UPDATE SET catalogue = excluded.catalogue, read_ms = excluded.read_ms",
                )
                .and_then(|mut upsert| upsert.execute(params![org.as_str(), catalogue, at.as_millisecond()]))
                .map(|_| ())
                .doing("write catalogues")
        })
        .await
    }

    async fn catalogue(&self, org: &OrgName) -> Result<Option<(Catalogue, Timestamp)>, StoreError> {
        let org = org.clone();
        self.0
            .readers
            .read_long(move |reader| {
                let mut select =
                    reader.statement("SELECT catalogue, read_ms FROM catalogues WHERE org = ?1", READ)?;
                let mut found = select.query([org.as_str()]).doing(READ)?;
                let Some(row) = found.next().doing(READ)? else { return Ok(None) };
                let catalogue = row.get_ref(0).and_then(|text| Ok(text.as_str()?)).doing(READ)?;
                let catalogue = rows::json(TABLE, "a catalogue", catalogue)?;
                Ok(Some((catalogue, rows::time(TABLE, row.get(1).doing(READ)?)?)))
            })
            .await
    }
}
