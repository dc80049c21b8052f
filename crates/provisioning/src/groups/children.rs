//! The children of a change: one for each identity that joins or leaves, or to whom the Group means something else from now
//! on. All at once, so that their steps share calls.

use std::collections::HashSet;

use futures::{StreamExt as _, stream};
use model::{ResourceId, ResourceKind};
use salesforce_types::StandsFor;

use super::{GroupChange, course::Course, members::Wanted};
use crate::{
    Answer, Operation, ProvisionError, Regroup, Request, Warning,
    users::{Crowd, UserChange},
};

/// So many at once: enough to fill the largest calls, and a fraction of what may wait for an org.
const AT_ONCE: usize = 2_000;

/// What a change of a Group means to one identity.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) identity: ResourceId,
    pub(super) role: Role,
    display: Option<String>,
    undoes: bool,
}

/// What becomes of an identity's membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Joins,
    Leaves,
    /// The Group is called otherwise from now on, or stands for something else.
    Stays,
}

/// A child that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) child: Child,
    pub(super) result: Result<Vec<Warning>, ProvisionError>,
}

impl Child {
    fn new(member: &Wanted, role: Role) -> Self {
        Self { identity: member.id.clone(), role, display: member.display.clone(), undoes: false }
    }

    /// One that has got in, or could have stayed, and is to go.
    pub(super) fn goes(&self) -> Self {
        Self { role: Role::Leaves, ..self.clone() }
    }

    /// The same on the way back to what was before the change.
    pub(super) fn undoing(self) -> Self {
        Self { undoes: true, ..self }
    }
}

impl Course {
    /// Who joins, who leaves, and to whom staying is a change.
    pub(super) fn children(&self, looks_at_groups: bool) -> Vec<Child> {
        let is_user = |member: &&Wanted| member.kind == ResourceKind::User;
        let was = self.members_before();
        let was_in: HashSet<&ResourceId> = was.iter().map(|member| &member.id).collect();
        let Some(after) = &self.after else {
            return was.iter().filter(is_user).map(|member| Child::new(member, Role::Leaves)).collect();
        };
        let is_in: HashSet<&ResourceId> = after.members.iter().map(|member| &member.id).collect();
        let stays_otherwise = self.stands_otherwise() || (looks_at_groups && self.is_renamed());
        let leaves = was.iter().filter(|member| !is_in.contains(&member.id));
        let leaves = leaves.filter(is_user).map(|member| Child::new(member, Role::Leaves));
        let others = after.members.iter().filter(is_user).filter_map(|member| {
            let is_new = !was_in.contains(&member.id);
            (is_new || stays_otherwise)
                .then(|| Child::new(member, if is_new { Role::Joins } else { Role::Stays }))
        });
        // Seats that come free are there for those who join.
        leaves.chain(others).collect()
    }
}

/// What the Group is to those who are in it: its name and what it stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sense<'a> {
    pub(super) name: &'a str,
    pub(super) stands_for: Option<&'a StandsFor>,
}

impl GroupChange {
    /// Carries the children out, each to its end. `is`: what the Group is to those who join or stay; `was`: to those who leave.
    /// None: Gangway is stopping, and some are left open.
    pub(super) async fn carry_out_children(
        &self,
        children: Vec<Child>,
        was: Sense<'_>,
        is: Sense<'_>,
    ) -> Option<Vec<Ended>> {
        let crowd = Crowd::default();
        let running = children.into_iter().map(|child| {
            let sense = if child.role == Role::Leaves { was } else { is };
            self.carry_out_child(child, sense, crowd.clone())
        });
        let ended: Vec<Option<Ended>> = stream::iter(running).buffered(AT_ONCE).collect().await;
        ended.into_iter().collect()
    }

    fn carry_out_child(
        &self,
        child: Child,
        sense: Sense<'_>,
        crowd: Crowd,
    ) -> impl Future<Output = Option<Ended>> + Send + use<> {
        let regroup = Regroup {
            group: self.id.clone(),
            display_name: sense.name.to_owned(),
            stands_for: sense.stands_for.cloned(),
            member: child.role != Role::Leaves,
            display: child.display.clone(),
            undoes: child.undoes,
        };
        let request = Request {
            kind: ResourceKind::User,
            id: Some(child.identity.to_string()),
            operation: Operation::Regroup(regroup),
            if_match: None,
            respond_async: false,
        };
        let change = UserChange::accept(&self.inner, &self.caller, request);
        async move {
            let reply = match change {
                Ok(change) => change.run_to_end(&crowd).await?,
                Err(error) => Err(error),
            };
            let result = match reply {
                Ok(Answer::Created(written) | Answer::Updated(written)) => Ok(written.warnings),
                Ok(Answer::Deleted(_) | Answer::Accepted { .. }) => Ok(Vec::new()),
                // Who is not there any more has left.
                Err(ProvisionError::NotFound { .. }) if child.role == Role::Leaves => Ok(Vec::new()),
                Err(error) => Err(error),
            };
            Some(Ended { child, result })
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Timestamp, Version};
    use scim_types::Resource;
    use store::{Member, StoredResource};

    use super::*;
    use crate::groups::{course::After, journal::Former, standing::Standing};

    fn wanted(id: &str, kind: ResourceKind) -> Wanted {
        Wanted { id: ResourceId::from_text(id), kind, display: None }
    }

    fn stored(members: &[&str]) -> StoredResource {
        let member = |id: &&str| Member {
            id: ResourceId::from_text(*id),
            kind: ResourceKind::User,
            display: None,
            display_as_sent: false,
        };
        StoredResource {
            kind: ResourceKind::Group,
            id: ResourceId::from_text("g"),
            version: Version(1),
            created: Timestamp::UNIX_EPOCH,
            modified: Timestamp::UNIX_EPOCH,
            pending: false,
            body: r#"{"displayName":"G"}"#.to_owned(),
            asked: None,
            stands_for: None,
            groups: Vec::new(),
            members: members.iter().map(member).collect(),
        }
    }

    fn standing(id: &str) -> Standing {
        let stands_for = serde_json::json!({"org": "acme", "kind": "permission-set", "id": id});
        Standing { stands_for: serde_json::from_value(stands_for).unwrap(), ..Standing::default() }
    }

    /// A group that stood for `0PS1`, called `was` until then.
    fn course(before: &[&str], after: Option<Vec<Wanted>>, stands_for: &str, was: &str) -> Course {
        let after = after.map(|members| After {
            name: "G".to_owned(),
            standing: standing(stands_for),
            body: Resource::default(),
            members,
        });
        let former = Former { name: Some(was.to_owned()), standing: standing("0PS1") };
        Course { stored: Some(stored(before)), former, after }
    }

    fn roles(course: &Course, looks_at_groups: bool) -> Vec<(String, Role)> {
        let children = course.children(looks_at_groups);
        children.into_iter().map(|child| (child.identity.to_string(), child.role)).collect()
    }

    fn users(ids: &[&str]) -> Vec<Wanted> {
        ids.iter().map(|id| wanted(id, ResourceKind::User)).collect()
    }

    #[test]
    fn only_those_are_concerned_who_join_or_leave() {
        let change = course(&["a", "b"], Some(users(&["b", "c"])), "0PS1", "H");
        let expected = [("a".to_owned(), Role::Leaves), ("c".to_owned(), Role::Joins)];
        assert_eq!(roles(&change, false), expected);
        let deleted = course(&["a"], None, "0PS1", "G");
        assert_eq!(roles(&deleted, false), [("a".to_owned(), Role::Leaves)]);
    }

    #[test]
    fn who_stays_is_concerned_where_the_group_is_something_else_from_now_on() {
        let stays = [("a".to_owned(), Role::Stays)];
        let other = course(&["a"], Some(users(&["a"])), "0PS2", "G");
        assert_eq!(roles(&other, false), stays);
        let renamed = course(&["a"], Some(users(&["a"])), "0PS1", "H");
        assert_eq!(roles(&renamed, true), stays);
        assert_eq!(roles(&renamed, false), []);
    }

    #[test]
    fn a_group_within_a_group_is_nobody_who_gets_something() {
        let nested = vec![wanted("g2", ResourceKind::Group)];
        assert_eq!(roles(&course(&[], Some(nested), "0PS1", "G"), true), []);
    }
}
