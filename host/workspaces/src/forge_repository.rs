//! Which forge a remote belongs to, and the addresses there. Pure.

use crate::remote_url::RemoteUrl;

/// A kind of site with pull requests that the host knows how to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// github.com or GitHub Enterprise.
    GitHub,
    /// gitlab.com or a GitLab of one's own.
    GitLab,
}

/// Hosts of which the operator said what they are, besides the known ones.
#[derive(Debug, Clone, Default)]
pub struct ForgeHosts {
    known: Vec<(String, ForgeKind)>,
}

impl ForgeHosts {
    /// Adds a host, with its port if the address of the remote has one.
    pub fn with(mut self, host: &str, kind: ForgeKind) -> Self {
        self.known.push((host.to_ascii_lowercase(), kind));
        self
    }

    /// What the operator said, or what the name says: `github.acme.example` is
    /// GitHub Enterprise.
    fn kind(&self, host: &str, authority: &str) -> Option<ForgeKind> {
        let said = self.known.iter().find(|(known, _)| known == authority || known == host);
        let named = |word: &str| host.split('.').any(|label| label == word);
        match said {
            Some((_, kind)) => Some(*kind),
            None if named("github") => Some(ForgeKind::GitHub),
            None if named("gitlab") => Some(ForgeKind::GitLab),
            None => None,
        }
    }
}

/// A repository on a forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeRepository {
    /// How to talk to it.
    pub kind: ForgeKind,
    /// `https://github.com`: what the addresses of its pages begin with.
    pub origin: String,
    /// `github.com`, with the port if there is one.
    pub authority: String,
    /// `owner/name`; on GitLab there may be more parts.
    pub path: String,
}

impl ForgeRepository {
    /// The repository behind a remote; `None` if it is no forge known here.
    pub fn of(url: &RemoteUrl, hosts: &ForgeHosts) -> Option<Self> {
        let server = url.server()?;
        let host = server.host.to_ascii_lowercase();
        // GitHub and GitLab take ssh on the port of https under other names.
        let host = match host.as_str() {
            "ssh.github.com" => "github.com".to_owned(),
            "altssh.gitlab.com" => "gitlab.com".to_owned(),
            _ => host,
        };
        let is_web = matches!(server.scheme, "https" | "http");
        let authority = match server.port.filter(|_| is_web) {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        let kind = hosts.kind(&host, &authority)?;
        let path = server.path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        let parts = path.split('/').collect::<Vec<_>>();
        let fits = match kind {
            ForgeKind::GitHub => parts.len() == 2,
            ForgeKind::GitLab => parts.len() >= 2,
        };
        let clean = |part: &&str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
                && !matches!(*part, "." | "..")
        };
        if !fits || !parts.iter().all(clean) {
            return None;
        }
        let scheme = if server.scheme == "http" { "http" } else { "https" };
        Some(Self { kind, origin: format!("{scheme}://{authority}"), authority, path: path.to_owned() })
    }

    /// The owner's name (on GitLab the whole group).
    pub fn owner(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(owner, _)| owner)
    }

    /// The page on which a person opens a pull request from `head` into `base`.
    pub fn compare_url(&self, base: &str, head: &str) -> String {
        let Self { origin, path, .. } = self;
        let (base, head) = (encoded(base), encoded(head));
        match self.kind {
            ForgeKind::GitHub => format!("{origin}/{path}/compare/{base}...{head}?expand=1"),
            ForgeKind::GitLab => format!(
                "{origin}/{path}/-/merge_requests/new?merge_request%5Bsource_branch%5D={head}\
                 &merge_request%5Btarget_branch%5D={base}"
            ),
        }
    }

    /// Where the pull requests of this repository are in the forge's API; the
    /// address of each is below.
    pub fn pull_requests(&self) -> String {
        match self.kind {
            ForgeKind::GitHub => self.resource("pulls"),
            ForgeKind::GitLab => self.resource("merge_requests"),
        }
    }

    /// Where something of this repository is in the forge's API, by its address below
    /// that of the repository.
    pub fn resource(&self, below: &str) -> String {
        format!("{}/{}/{below}", self.api(), self.own())
    }

    /// This repository's address below the forge's API.
    pub(crate) fn own(&self) -> String {
        match self.kind {
            ForgeKind::GitHub => format!("repos/{}", self.path),
            ForgeKind::GitLab => format!("projects/{}", self.path.replace('/', "%2F")),
        }
    }

    /// Where besides [`pull_requests`](Self::pull_requests) is read what is said about
    /// them: nothing is written there.
    pub fn readable(&self) -> Vec<String> {
        let below: &[&str] = match self.kind {
            ForgeKind::GitHub => &["commits", "issues"],
            ForgeKind::GitLab => &["repository/commits", "members/all"],
        };
        below.iter().map(|below| self.resource(below)).collect()
    }

    /// Where the forge's API is.
    pub fn api(&self) -> String {
        match self.kind {
            ForgeKind::GitHub if self.authority == "github.com" => "https://api.github.com".to_owned(),
            ForgeKind::GitHub => format!("{}/api/v3", self.origin),
            ForgeKind::GitLab => format!("{}/api/v4", self.origin),
        }
    }
}

/// Percent-encoded for a path or query; `/` stays as it is.
pub(crate) fn encoded(text: &str) -> String {
    let parts = text.bytes().map(|byte| match byte {
        plain if plain.is_ascii_alphanumeric() || b"-_.~/".contains(&plain) => char::from(plain).to_string(),
        other => format!("%{other:02X}"),
    });
    parts.collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;

    fn found(text: &str) -> Option<ForgeRepository> {
        let hosts = ForgeHosts::default().with("git.acme.example", ForgeKind::GitHub);
        ForgeRepository::of(&RemoteUrl::new(text, Path::new("/")).unwrap(), &hosts)
    }

    #[test]
    fn every_form_of_a_github_remote_names_the_same_repository() {
        for text in [
            "https://github.com/acme/api.git",
            "https://github.com/acme/api/",
            "https://token@github.com/acme/api",
            "git@github.com:acme/api.git",
            "GitHub.com:acme/api.git",
            "ssh://git@github.com:22/acme/api.git",
            "ssh://git@ssh.github.com:443/acme/api.git",
        ] {
            let repository = found(text).unwrap();
            assert_eq!(repository.kind, ForgeKind::GitHub, "{text}");
            assert_eq!(
                (repository.origin.as_str(), repository.path.as_str()),
                ("https://github.com", "acme/api")
            );
            assert_eq!(repository.api(), "https://api.github.com");
        }
    }

    #[test]
    fn forges_of_ones_own_are_known_by_name_or_by_the_operators_word() {
        let by_name = found("git@github.acme.example:team/api.git").unwrap();
        assert_eq!(by_name.api(), "https://github.acme.example/api/v3");
        let by_word = found("https://git.acme.example:8443/team/api.git").unwrap();
        assert_eq!(by_word.api(), "https://git.acme.example:8443/api/v3");
        let lab = found("https://gitlab.com/group/sub/api.git").unwrap();
        assert_eq!(
            (lab.kind, lab.owner(), lab.api().as_str()),
            (ForgeKind::GitLab, "group/sub", "https://gitlab.com/api/v4")
        );
    }

    #[test]
    fn what_is_no_forge_or_no_repository_there_is_not_taken_for_one() {
        for text in [
            "https://notgithub.com/a/b",
            "https://example.com/a/b",
            "/srv/github/a/b",
            "https://github.com/only-owner",
            "https://github.com/a/b/c",
            "https://github.com/a/..",
            "https://github.com/a/b?x=1",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn compare_links_name_both_branches_encoded() {
        let hub = found("git@github.com:acme/api.git").unwrap();
        assert_eq!(
            hub.compare_url("main", "trakkar/t_88-ä&b"),
            "https://github.com/acme/api/compare/main...trakkar/t_88-%C3%A4%26b?expand=1"
        );
        let lab = found("https://gitlab.com/g/api").unwrap();
        assert_eq!(
            lab.compare_url("main", "x#1"),
            "https://gitlab.com/g/api/-/merge_requests/new?merge_request%5Bsource_branch%5D=x%231\
             &merge_request%5Btarget_branch%5D=main"
        );
    }
}
