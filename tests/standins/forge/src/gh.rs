//! A `gh` for tests: a script that hands its arguments and input to the
//! stand-in, which answers from the state the REST interface has.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::http::{Answer, Request};
use crate::pulls::{PullRequest, Pulls, Refusal};

/// Separates arguments from input in what the script sends.
const INPUT_MARK: &str = "--input--";

/// Writes the script into `folder`, which a test puts into `PATH`.
pub(crate) fn install(folder: &Path, address: SocketAddr) -> io::Result<()> {
    let (host, port) = (address.ip(), address.port());
    let script = format!(
        "#!/usr/bin/env bash\n\
         arguments=$(printf '%s\\n' \"$@\")\n\
         case \" $* \" in *' --body-file - '*) input=$(cat) ;; *) input= ;; esac\n\
         body=\"$arguments\n{INPUT_MARK}\n$input\"\n\
         LC_ALL=C\n\
         exec 3<>/dev/tcp/{host}/{port} || exit 1\n\
         printf 'POST /standin/gh HTTP/1.1\\r\\nContent-Length: %s\\r\\n\\r\\n%s' \"${{#body}}\" \"$body\" >&3\n\
         while IFS= read -r line <&3 && [ -n \"${{line%$'\\r'}}\" ]; do :; done\n\
         IFS= read -r code <&3\n\
         if [ \"$code\" = 0 ]; then cat <&3; else cat <&3 >&2; fi\n\
         exit \"${{code:-1}}\"\n"
    );
    let program = folder.join("gh");
    fs::write(&program, script)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
}

/// What `gh api ADDRESS` asks for, if that is what the script sent.
pub(crate) fn asked(sent: &str) -> Option<Request> {
    let (arguments, _) = sent.split_once(&format!("\n{INPUT_MARK}\n"))?;
    let address = arguments.lines().last().filter(|_| arguments.starts_with("api\n"))?;
    Some(Request::get(&format!("/api/v3/{address}")))
}

/// What `gh api` prints for an answer of the REST interface.
pub(crate) fn printed(answer: &Answer) -> Answer {
    let body = String::from_utf8_lossy(&answer.body);
    match answer.status {
        200..=299 => Answer::text(200, format!("0\n{body}")),
        status => Answer::text(200, format!("1\ngh: {body} (HTTP {status})\n")),
    }
}

/// Answers what the script sent: the exit code on a line, then what is printed.
pub(crate) fn answer(pulls: &mut Pulls, origin: &str, signed_in: bool, sent: &str) -> Answer {
    let (code, text) = if signed_in {
        run(pulls, origin, sent)
    } else {
        (4, "To get started with GitHub CLI, please run:  gh auth login\n".to_owned())
    };
    Answer::text(200, format!("{code}\n{text}"))
}

fn run(pulls: &mut Pulls, origin: &str, sent: &str) -> (u8, String) {
    let (arguments, input) = sent.split_once(&format!("\n{INPUT_MARK}\n")).unwrap_or((sent, ""));
    let arguments: Vec<&str> = arguments.lines().collect();
    let option = |name: &str| {
        let joined = arguments.iter().find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        let apart = || arguments.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1]);
        joined.or_else(apart).unwrap_or_default().to_owned()
    };
    let repository = option("--repo");
    // `[host/]owner/name`
    let repository = repository.rsplitn(3, '/').take(2).collect::<Vec<_>>();
    let [name, owner] = repository.as_slice() else {
        return (1, "expected the \"[HOST/]OWNER/REPO\" format\n".to_owned());
    };
    let repository = format!("{owner}/{name}");
    let url = |number: u32| format!("{origin}/{repository}/pull/{number}");
    match arguments.as_slice() {
        ["pr", "list", ..] => {
            let open = pulls.of(&repository).iter().filter(|pull| pull.open && pull.head == option("--head"));
            let list: Vec<_> = open
                .map(|pull| json!({"number": pull.number, "url": url(pull.number), "isCrossRepository": false}))
                .collect();
            (0, json!(list).to_string())
        }
        ["pr", "create", ..] => {
            let (head, base, title) = (option("--head"), option("--base"), option("--title"));
            let body = input.to_owned();
            let wish = PullRequest { number: 0, head, base, title, body, open: true, merged: false };
            match pulls.create(&repository, &wish) {
                Ok(made) => (0, format!("{}\n", url(made.number))),
                Err(Refusal::Exists) => {
                    (1, format!("a pull request for branch \"{}\" already exists\n", wish.head))
                }
                Err(Refusal::Empty) => {
                    (1, "pull request create failed: GraphQL: No commits between\n".to_owned())
                }
            }
        }
        ["pr", "edit", number, ..] => {
            let number = number.parse().unwrap_or_default();
            match pulls.get_mut(&repository, number) {
                Some(pull) => {
                    pull.title = option("--title");
                    input.clone_into(&mut pull.body);
                    (0, format!("{}\n", url(number)))
                }
                None => (1, "no pull requests found\n".to_owned()),
            }
        }
        _ => (1, format!("unknown command {arguments:?}\n")),
    }
}
