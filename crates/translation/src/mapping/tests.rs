use super::*;

#[test]
fn the_default_mapping_is_read() {
    let org = OrgName::new("acme-prod").unwrap();
    let mapping = Mapping::default_for(&org);
    assert_eq!(mapping.targets.len(), 1);
    let target = &mapping.targets[0];
    assert_eq!(target.org, Some(org));
    assert_eq!(target.matching, ["FederationIdentifier", "Username"]);
    assert_eq!(target.allow, Allow::default());
    assert!(target.maps("username") && target.maps("LastName") && !target.maps("ProfileId"));
}
