//! Whether an org has what consents are written to.

use model::OrgName;
use provisioning::consent_problems;
use salesforce_client::Org;

use super::{Report, explain};
use crate::config::{SourceKind, TenantSettings};

/// Looks at every consent source that writes to this org.
pub(super) async fn check(org: &Org, name: &OrgName, tenants: &[TenantSettings], report: &mut Report) {
    for tenant in tenants {
        for source in &tenant.sources {
            let SourceKind::Didomi(settings) = &source.kind else { continue };
            let about = format!("tenant {}, source {}", tenant.id, source.name);
            for object in settings.objects.iter().filter(|object| object.target.org == *name) {
                match consent_problems(org, &object.target, &object.mappings.places()).await {
                    Ok(problems) if problems.is_empty() => {
                        report.ok(&about, format!("its choices fit {} in {name}", object.target.object));
                    }
                    Ok(problems) => {
                        for problem in problems {
                            report.problem(
                                &about,
                                problem,
                                "what of an event needs it is not written before this is corrected",
                            );
                        }
                    }
                    Err(error) => explain(&about, &error, report),
                }
            }
        }
    }
}
