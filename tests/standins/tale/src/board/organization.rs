//! Organisations, their members' keys, and who a request is from.

use serde::Serialize;
use thiserror::Error;

use super::Board;

/// An organisation: the border that nothing crosses.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Organization {
    /// Its name in URLs and headers.
    pub slug: String,
    /// Nothing is dispatched while this is off.
    pub automation: bool,
    /// How many of its runs may be claimed at once.
    pub max_concurrent_runs: Option<usize>,
}

impl Organization {
    /// An organisation with automation on and no cap.
    pub fn new(slug: &str) -> Self {
        Self { slug: slug.to_owned(), automation: true, max_concurrent_runs: None }
    }
}

/// A person with an API key.
#[derive(Debug, Clone)]
pub struct User {
    /// Their API key.
    pub key: String,
    /// Slugs of the organisations they belong to.
    pub memberships: Vec<String>,
    /// The organisation they last worked in.
    pub last_active: Option<String>,
}

/// Why a request is turned away before its handler.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Denied {
    /// No `Authorization: Bearer …`.
    #[error("Missing or invalid Authorization header")]
    NoKey,
    /// Nobody has this key.
    #[error("Invalid API key")]
    WrongKey,
    /// There is no such organisation.
    #[error("Unknown organization '{0}'")]
    UnknownOrganization(String),
    /// Several memberships, and nothing says which one is meant.
    #[error("X-Organization-Slug is required: the key belongs to several organizations")]
    OrganizationRequired,
    /// The organisation exists, but not for this user.
    #[error("Not a member of this organization")]
    NotAMember,
}

impl Board {
    /// The organisation that a request with these headers works in.
    pub fn authorize(&self, authorization: Option<&str>, slug: Option<&str>) -> Result<String, Denied> {
        let key = authorization.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Denied::NoKey)?;
        let user = self.users.iter().find(|user| user.key == key.trim()).ok_or(Denied::WrongKey)?;
        match (slug, user.memberships.as_slice()) {
            (Some(slug), _) if self.organization(slug).is_none() => {
                Err(Denied::UnknownOrganization(slug.to_owned()))
            }
            (Some(slug), memberships) if memberships.iter().any(|own| own == slug) => Ok(slug.to_owned()),
            (Some(_), _) | (None, []) => Err(Denied::NotAMember),
            (None, [only]) => Ok(only.clone()),
            (None, _) => user.last_active.clone().ok_or(Denied::OrganizationRequired),
        }
    }

    /// An organisation by its slug.
    pub fn organization(&self, slug: &str) -> Option<&Organization> {
        self.organizations.iter().find(|organization| organization.slug == slug)
    }

    /// Adds an organisation, or puts it in the place of the one with its slug.
    pub fn put_organization(&mut self, organization: Organization) {
        self.organizations.retain(|other| other.slug != organization.slug);
        self.organizations.push(organization);
    }

    /// Adds a user, or puts them in the place of the one with their key.
    pub fn put_user(&mut self, user: User) {
        self.users.retain(|other| other.key != user.key);
        self.users.push(user);
    }

    /// Takes a key away: its requests get 401 from now on.
    pub fn revoke_key(&mut self, key: &str) {
        self.users.retain(|user| user.key != key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::Rules;

    fn board(memberships: &[&str], last_active: Option<&str>) -> Board {
        let mut board = Board::new(1, Rules::default());
        board.put_organization(Organization::new("north"));
        board.put_organization(Organization::new("south"));
        board.put_user(User {
            key: "secret".to_owned(),
            memberships: memberships.iter().map(ToString::to_string).collect(),
            last_active: last_active.map(str::to_owned),
        });
        board
    }

    const KEY: Option<&str> = Some("Bearer secret");

    #[test]
    fn a_missing_or_wrong_key_is_denied() {
        let board = board(&["north"], None);
        assert_eq!(board.authorize(None, None), Err(Denied::NoKey));
        assert_eq!(board.authorize(Some("Basic secret"), None), Err(Denied::NoKey));
        assert_eq!(board.authorize(Some("Bearer other"), None), Err(Denied::WrongKey));
    }

    #[test]
    fn a_revoked_key_is_denied() {
        let mut board = board(&["north"], None);
        board.revoke_key("secret");
        assert_eq!(board.authorize(KEY, None), Err(Denied::WrongKey));
    }

    #[test]
    fn a_single_membership_needs_no_header_and_several_use_the_last_active_one() {
        assert_eq!(board(&["north"], None).authorize(KEY, None), Ok("north".to_owned()));
        let both = ["north", "south"];
        assert_eq!(board(&both, Some("south")).authorize(KEY, None), Ok("south".to_owned()));
        assert_eq!(board(&both, None).authorize(KEY, None), Err(Denied::OrganizationRequired));
        assert_eq!(board(&both, None).authorize(KEY, Some("north")), Ok("north".to_owned()));
    }

    #[test]
    fn a_foreign_organisation_is_told_from_an_unknown_one() {
        let board = board(&["north"], None);
        assert_eq!(board.authorize(KEY, Some("south")), Err(Denied::NotAMember));
        let unknown = Denied::UnknownOrganization("west".to_owned());
        assert_eq!(board.authorize(KEY, Some("west")), Err(unknown));
    }

    #[test]
    fn a_user_without_any_organisation_is_no_member() {
        assert_eq!(board(&[], None).authorize(KEY, None), Err(Denied::NotAMember));
    }
}
