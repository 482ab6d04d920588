#![allow(clippy::unwrap_used)]
use std::collections::BTreeMap;
use std::path::Path;

use hostler_daemon::Isolation;
use hostler_daemon::engine::plan::Permission;
use hostler_daemon::engine::time::Millis;
use hostler_daemon::plugins::Manifest;
use hostler_daemon::vouching::SignatureRule;

use super::configuration::{Surroundings, program_of, repositories};
use super::fields::{self, Fields, Role};
use super::file::FILE_BYTES;
use super::layers::Flags;
use super::origin::Origin;
use super::secret_field::{SecretField, Sources};
use super::*;

const USER: &str = "/home/ada/.config/hostler/config.toml";
const REPOSITORY: &str = "/app/.hostler/config.toml";

fn user(text: &str) -> Result<ConfigFile, ConfigError> {
    ConfigFile::parse(Path::new(USER), text, Whose::Operator)
}

fn repository(text: &str) -> Result<ConfigFile, ConfigError> {
    ConfigFile::parse(Path::new(REPOSITORY), text, Whose::Repository)
}

fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn flags(pairs: &[(Key, &str)]) -> Flags {
    let keys = pairs.iter().map(|(key, value)| (*key, vec![(*value).to_owned()]));
    Flags { keys: keys.collect(), ..Flags::default() }
}

fn resolve(layers: &Layers) -> Result<Configuration, ConfigError> {
    Configuration::resolve(layers, "machine")
}

fn complaint(layers: &Layers) -> String {
    resolve(layers).unwrap_err().to_string()
}

#[test]
fn a_flag_beats_the_environment_beats_the_files_beats_the_default() {
    let mut layers = Layers {
        flags: flags(&[(Key::Model, "flag")]),
        environment: environment(&[("HOSTLER_MODEL", "environment")]),
        repository_file: Some(repository("model = \"repository\"").unwrap()),
        user_file: Some(user("# mine\nmodel = \"user\"").unwrap()),
        ..Layers::default()
    };
    let model = |layers: &Layers| {
        let model = resolve(layers).unwrap().model;
        format!("{} from {}", model.value.unwrap_or_default(), model.origin)
    };
    assert_eq!(model(&layers), "flag from --model");
    layers.flags = Flags::default();
    assert_eq!(model(&layers), "environment from HOSTLER_MODEL");
    layers.environment.insert("HOSTLER_MODEL".to_owned(), String::new());
    assert_eq!(model(&layers), format!("repository from {REPOSITORY} line 1"));
    layers.repository_file = None;
    assert_eq!(model(&layers), format!("user from {USER} line 2"));
    layers.user_file = None;
    assert_eq!(model(&layers), " from default");
}

#[test]
fn every_setting_can_stand_in_a_file_and_in_the_environment() {
    let text = r#"
        plugin = "folder"
        provider = ["claude-code", "codex"]
        model = "sonnet"
        permission = "safe"
        permission-ceiling = "full-auto"
        slots = 4
        attempts = 3
        time-limit = "1h30m"
        stall-limit = "none"
        token-limit = 2000000
        cost-limit = 2.5
        memory-limit = "4G"
        cpu-limit = 2
        containment = "sweep"
        isolation = "clone"
        sandbox = "basic"
        landing = "push"
        verify = "ignore"
        verify-limit = "5m"
        follow-up = "reviews"
        in-place = true
        signatures = "off"
        name = "desk"
    "#;
    let from_file = resolve(&Layers { user_file: Some(user(text).unwrap()), ..Layers::default() }).unwrap();
    let all = [
        ("HOSTLER_PLUGIN", "folder"),
        ("HOSTLER_PROVIDER", "claude-code, codex"),
        ("HOSTLER_MODEL", "sonnet"),
        ("HOSTLER_PERMISSION", "safe"),
        ("HOSTLER_PERMISSION_CEILING", "full-auto"),
        ("HOSTLER_SLOTS", "4"),
        ("HOSTLER_ATTEMPTS", "3"),
        ("HOSTLER_TIME_LIMIT", "1h30m"),
        ("HOSTLER_STALL_LIMIT", "none"),
        ("HOSTLER_TOKEN_LIMIT", "2000000"),
        ("HOSTLER_COST_LIMIT", "2.5"),
        ("HOSTLER_MEMORY_LIMIT", "4G"),
        ("HOSTLER_CPU_LIMIT", "2"),
        ("HOSTLER_CONTAINMENT", "sweep"),
        ("HOSTLER_ISOLATION", "clone"),
        ("HOSTLER_SANDBOX", "basic"),
        ("HOSTLER_LANDING", "push"),
        ("HOSTLER_VERIFY", "ignore"),
        ("HOSTLER_VERIFY_LIMIT", "5m"),
        ("HOSTLER_FOLLOW_UP", "reviews"),
        ("HOSTLER_IN_PLACE", "true"),
        ("HOSTLER_SIGNATURES", "off"),
        ("HOSTLER_NAME", "desk"),
    ];
    assert_eq!(all.len(), Key::ALL.len());
    let from_environment = resolve(&Layers { environment: environment(&all), ..Layers::default() }).unwrap();
    assert_eq!(from_file.policy(), from_environment.policy());
    assert_eq!(from_file.providers.value, from_environment.providers.value);
    assert_eq!(from_file.policy().limits.time, Some(Millis::minutes(90)));
    assert_eq!(from_file.policy().limits.stall, None);
    assert_eq!(from_file.policy().limits.cost_usd, Some(2.5));
    assert_eq!((from_file.policy().limits.memory, from_file.policy().limits.cpus), (Some(4 << 30), Some(2)));
    assert_eq!(from_file.policy().follow_up.name(), "reviews");
    assert_eq!(from_file.containment.value, from_environment.containment.value);
    assert_eq!(from_file.isolation.value, Isolation::Clone);
    assert_eq!(from_environment.isolation.value, from_file.isolation.value);
    assert_eq!(from_environment.name.value, "desk");
    assert_eq!(from_file.signatures.value.rule(), SignatureRule::Off);
    assert_eq!(from_environment.signatures.value, from_file.signatures.value);
    assert!(from_file.in_place.value && from_environment.in_place.value);
}

#[test]
fn permission_alone_decides_the_ceiling_too() {
    let permissions = |layers: &Layers| {
        let configuration = resolve(layers).unwrap();
        (configuration.permission.value, configuration.permission_ceiling.value)
    };
    let with = |pairs| Layers { flags: flags(pairs), ..Layers::default() };
    assert_eq!(permissions(&with(&[])), (Permission::AutoEdits, Permission::AutoEdits));
    assert_eq!(permissions(&with(&[(Key::Permission, "safe")])), (Permission::Safe, Permission::Safe));
    let ceiling = with(&[(Key::PermissionCeiling, "safe")]);
    assert_eq!(permissions(&ceiling), (Permission::Safe, Permission::Safe));
    let both = with(&[(Key::Permission, "safe"), (Key::PermissionCeiling, "full-auto")]);
    assert_eq!(permissions(&both), (Permission::Safe, Permission::FullAuto));
}

#[test]
fn a_command_alone_chooses_the_command_provider() {
    let flags = Flags { command: Some("my-agent".to_owned()), ..Flags::default() };
    let layers =
        Layers { flags, environment: environment(&[("HOSTLER_PROVIDER", "codex")]), ..Layers::default() };
    assert_eq!(resolve(&layers).unwrap().providers.value, ["command"]);
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_file_line_and_remedy() {
    let wrong = [
        "slot = 2",
        "\n\nslots = \"many\"",
        "slots = 0",
        "slots = 2.5",
        "slots = [2]",
        "slots = true",
        "in-place = \"yes\"",
        "slots = ",
        "time-limit = \"60\"",
        "provider = [1]",
        "provider = []",
        "[provider.claude-code]\nprogram = \"/bin/claude\"",
        "tracker = 5",
        "[tracker]\nfolder = 5",
        "[tracker.folder]\npath = 2026-01-01",
        "[agent]\nfoo = 1",
        "permission = \"root\"",
    ];
    let told = wrong.map(|text| match user(text) {
        Err(error) => error.to_string(),
        Ok(file) => complaint(&Layers { user_file: Some(file), ..Layers::default() }),
    });
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_is_wrong_elsewhere_is_told_with_its_place() {
    let from_environment = |name: &str, value: &str| {
        complaint(&Layers { environment: environment(&[(name, value)]), ..Layers::default() })
    };
    let above = Layers {
        flags: flags(&[(Key::Permission, "full-auto")]),
        user_file: Some(user("permission-ceiling = \"auto-edits\"").unwrap()),
        ..Layers::default()
    };
    let told = [
        from_environment("HOSTLER_ATTEMPTS", "101"),
        from_environment("HOSTLER_COST_LIMIT", "cheap"),
        complaint(&Layers { flags: flags(&[(Key::Slots, "-1")]), ..Layers::default() }),
        complaint(&above),
    ];
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_repository_can_only_set_what_is_harmless() {
    assert!(repository("provider = \"codex\"\nmodel = \"m\"\n[tracker.folder]\nlabel = \"x\"").is_ok());
    let refused = [
        "plugin = \"folder\"",
        "permission = \"full-auto\"",
        "slots = 9",
        "[repos]\nall = \"/\"",
        "[providers.codex]\nprogram = \"./evil\"",
    ];
    let told = refused.map(|text| repository(text).unwrap_err().to_string());
    let file = Layers {
        repository_file: Some(repository("provider = \"./evil.wasm\"").unwrap()),
        ..Layers::default()
    };
    insta::assert_snapshot!(told.join("\n") + "\n" + &complaint(&file));
}

#[test]
fn a_file_is_read_up_to_its_limit_and_a_missing_one_is_none() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("config.toml");
    assert!(ConfigFile::read(&path, Whose::Operator).unwrap().is_none());
    let length = usize::try_from(FILE_BYTES).unwrap();
    std::fs::write(&path, "#".repeat(length)).unwrap();
    assert!(ConfigFile::read(&path, Whose::Operator).unwrap().is_some());
    std::fs::write(&path, "#".repeat(length + 1)).unwrap();
    assert!(matches!(ConfigFile::read(&path, Whose::Operator), Err(ConfigError::TooLarge(_))));
}

#[test]
fn repositories_keep_their_order_and_paths_start_at_their_file() {
    let text = "[repos]\nweb = \"~/web\"\napp = \"/srv/app\"\nnear = \"near\"";
    let layers = Layers { user_file: Some(user(text).unwrap()), ..Layers::default() };
    let around = Surroundings { folder: Path::new("/here"), home: Some(Path::new("/home/ada")) };
    let named = repositories(&layers, &around).unwrap().value;
    let paths: Vec<_> = named.iter().map(|one| one.path.display().to_string()).collect();
    assert_eq!(paths, ["/home/ada/web", "/srv/app", "/home/ada/.config/hostler/near"]);
    let default = repositories(&Layers::default(), &around).unwrap();
    assert_eq!((default.value[0].path.as_path(), default.origin), (Path::new("/here"), Origin::Default));
}

#[test]
fn a_provider_can_have_its_program_elsewhere() {
    let file = user("[providers.codex]\nprogram = \"~/bin/codex\"").unwrap();
    let home = Some(Path::new("/home/ada"));
    let found = program_of(Some(&file.providers), "codex", Path::new("/c"), home).unwrap().unwrap();
    assert_eq!(found.value, Path::new("/home/ada/bin/codex"));
    assert!(program_of(Some(&file.providers), "gemini", Path::new("/c"), home).unwrap().is_none());
}

fn manifest() -> Manifest {
    Manifest::parse(
        r#"
        [plugin]
        id = "trakkar"
        name = "Trakkar"
        version = "1.0.0"
        contract = "hostler:plugin@0.1.0"
        description = "A tracker."
        [config.api-url]
        type = "string"
        required = true
        env = "TRAKKAR_URL"
        help = "Address of the server."
        [config.token]
        type = "string"
        secret = true
        env = "TRAKKAR_TOKEN"
        [config.label]
        type = "string"
        default = "agent"
        [config.depth]
        type = "integer"
        [config.tags]
        type = "list"
        [[http]]
        origin-from = "api-url"
        methods = ["GET"]
        [[secret]]
        handle = "token"
        from = "token"
        header = "Authorization"
        form = "Bearer {}"
        origin-from = "api-url"
        "#,
    )
    .unwrap()
}

fn fields_of(layers: &Layers) -> Result<Fields, ConfigError> {
    fields::resolve(Role::Tracker, &manifest(), layers, &fields::Kept::default(), USER)
}

fn set(pairs: &[(&str, &str)]) -> Flags {
    let fields = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Flags { fields: fields.collect(), ..Flags::default() }
}

#[test]
fn fields_of_a_plugin_follow_the_same_precedence() {
    let layers = Layers {
        flags: set(&[("tags", "a, b")]),
        environment: environment(&[("TRAKKAR_URL", "https://t.example"), ("TRAKKAR_TOKEN", "hunter2")]),
        repository_file: Some(repository("[tracker.trakkar]\ndepth = 3").unwrap()),
        user_file: Some(
            user("[tracker.trakkar]\ndepth = 4\napi-url = \"https://old.example\"\n[tracker.other]\nx = 1")
                .unwrap(),
        ),
        ..Layers::default()
    };
    let fields = fields_of(&layers).unwrap();
    let told: Vec<String> =
        fields.iter().map(|(name, field)| format!("{name} = {} ({})", field.value, field.origin)).collect();
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(fields["token"].value.reveal(), "hunter2");
    assert!(!format!("{fields:?}").contains("hunter2"));
}

#[test]
fn wrong_fields_are_told_with_place_and_remedy_and_never_with_a_secret() {
    let url = ("api-url", "https://t.example");
    let in_user =
        |text: &str| Layers { user_file: Some(user(text).unwrap()), flags: set(&[url]), ..Layers::default() };
    let in_repository = |text: &str| Layers {
        repository_file: Some(repository(text).unwrap()),
        flags: set(&[url]),
        ..Layers::default()
    };
    let layers = [
        Layers::default(),
        Layers { flags: set(&[url, ("tokn", "x")]), ..Layers::default() },
        Layers { flags: set(&[url, ("token", "hunter2")]), ..Layers::default() },
        Layers { flags: set(&[url, ("depth", "deep")]), ..Layers::default() },
        in_user("[tracker.trakkar]\ntoken = [\"hunter2\"]"),
        in_user("[tracker.trakkar]\ndepth = 1.5"),
        in_repository("[tracker.trakkar]\ntoken = \"hunter2\""),
        in_repository("[tracker.trakkar]\napi-url = \"https://evil.example\""),
    ];
    let told = layers.map(|layers| fields_of(&layers).unwrap_err().to_string());
    let told = told.join("\n");
    assert!(!told.contains("hunter2"));
    insta::assert_snapshot!(told);
}

const SECRETS: &str = "/home/ada/.config/hostler/secrets.toml";
const TALE_DAEMON: &str = "/home/ada/.tale-daemon/config.json";

fn secrets(text: &str) -> Option<SecretsFile> {
    Some(SecretsFile::parse(Path::new(SECRETS), text).unwrap())
}

fn earlier(text: &str) -> Option<ConfigFile> {
    Some(tale_daemon::parse(Path::new(TALE_DAEMON), text).unwrap())
}

#[test]
fn a_saved_secret_is_used_unless_the_environment_has_one() {
    let mut layers = Layers {
        flags: set(&[("api-url", "https://t.example")]),
        secrets: secrets("[tracker.trakkar]\ntoken = \"saved\""),
        user_file: Some(user("[tracker.trakkar]\ntoken = \"plain\"").unwrap()),
        ..Layers::default()
    };
    let token = |layers: &Layers| {
        let token = &fields_of(layers).unwrap()["token"];
        format!("{} from {}", token.value.reveal(), token.origin)
    };
    assert_eq!(token(&layers), format!("saved from {SECRETS} line 2"));
    layers.environment = environment(&[("TRAKKAR_TOKEN", "set")]);
    assert_eq!(token(&layers), "set from TRAKKAR_TOKEN");
    layers.environment.clear();
    layers.secrets = None;
    assert_eq!(token(&layers), format!("plain from {USER} line 2"));
}

#[test]
fn an_emptied_variable_never_lets_another_credential_in() {
    let layers = Layers {
        flags: set(&[("api-url", "https://t.example")]),
        environment: environment(&[("TRAKKAR_TOKEN", "")]),
        secrets: secrets("[tracker.trakkar]\ntoken = \"saved\""),
        ..Layers::default()
    };
    let told = fields_of(&layers).unwrap_err().to_string();
    assert!(told.starts_with("TRAKKAR_TOKEN is set but empty"), "{told}");
}

#[test]
fn in_the_file_of_secrets_stand_secrets_only() {
    let with = |text: &str| Layers {
        flags: set(&[("api-url", "https://t.example")]),
        secrets: secrets(text),
        ..Layers::default()
    };
    let told = |text: &str| fields_of(&with(text)).unwrap_err().to_string();
    assert!(told("[tracker.trakkar]\nlabel = \"x\"").contains("`label` does not belong here"));
    assert!(told("[tracker.trakkar]\ntokn = \"x\"").contains("has no field `tokn`"));
}

#[test]
fn what_an_earlier_program_left_is_the_weakest_word() {
    let text = r#"{"name": "old", "permissionCeiling": "full_auto", "workspaces": {"api": "/srv/api"}}"#;
    let mut layers = Layers { earlier: earlier(text), ..Layers::default() };
    let around = Surroundings { folder: Path::new("/here"), home: None };
    let told = |layers: &Layers| {
        let configuration = resolve(layers).unwrap();
        let repositories = repositories(layers, &around).unwrap();
        let (name, ceiling) = (configuration.name, configuration.permission_ceiling);
        let path = repositories.value[0].path.display().to_string();
        [
            format!("{} ({})", name.value, name.origin),
            format!("{} ({})", ceiling.value.name(), ceiling.origin),
            format!("{path} ({})", repositories.origin),
        ]
    };
    assert_eq!(
        told(&layers),
        [
            format!("old ({TALE_DAEMON})"),
            format!("full-auto ({TALE_DAEMON})"),
            format!("/srv/api ({TALE_DAEMON})")
        ]
    );
    let mine = "name = \"new\"\npermission-ceiling = \"safe\"\n[repos]\nweb = \"/srv/web\"";
    layers.user_file = Some(user(mine).unwrap());
    assert_eq!(
        told(&layers),
        [
            format!("new ({USER} line 1)"),
            format!("safe ({USER} line 2)"),
            format!("/srv/web ({USER} line 4)")
        ]
    );
}

#[test]
fn for_tale_more_than_safe_needs_a_word_of_the_operator() {
    let mut layers = Layers { earlier: Some(tale_daemon::defaults()), ..Layers::default() };
    let safe = resolve(&layers).unwrap();
    assert_eq!((safe.permission.value, safe.permission_ceiling.value), (Permission::Safe, Permission::Safe));
    assert_eq!(safe.permission_ceiling.origin, Origin::Default);
    layers.flags = flags(&[(Key::PermissionCeiling, "full-auto")]);
    assert_eq!(resolve(&layers).unwrap().permission_ceiling.value, Permission::FullAuto);
    layers.flags = flags(&[(Key::Permission, "full-auto")]);
    assert!(complaint(&layers).contains("above permission-ceiling `safe` (default)"));
}

#[test]
fn the_keyring_is_asked_for_what_is_kept_there_unless_a_variable_gives_it() {
    let wanted = |layers: &Layers| {
        let names = fields::in_keyring(&manifest(), layers);
        names.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let kept = |text: &str| Layers { user_file: Some(user(text).unwrap()), ..Layers::default() };
    assert_eq!(wanted(&kept("[keyring]\nother = [\"token\"]")).unwrap(), [""; 0]);
    let mut layers = kept("[keyring]\ntrakkar = [\"token\"]");
    assert_eq!(wanted(&layers).unwrap(), ["trakkar.token"]);
    layers.environment = environment(&[("TRAKKAR_TOKEN", "hunter2")]);
    assert_eq!(wanted(&layers).unwrap(), [""; 0]);
    let told = wanted(&kept("[keyring]\ntrakkar = [\"api-url\"]")).unwrap_err().to_string();
    assert!(told.contains("line 2") && told.contains("`api-url` does not belong here"), "{told}");
    let told = wanted(&kept("[keyring]\ntrakkar = \"token\"")).unwrap_err().to_string();
    assert!(told.contains("`keyring.trakkar`") && told.contains("a list of secret fields"), "{told}");
    let told = repository("[keyring]\ntrakkar = [\"token\"]").unwrap_err().to_string();
    assert!(told.contains("a repository may not set `keyring`"), "{told}");
}

#[test]
fn what_the_keyring_has_comes_before_what_stands_in_a_file() {
    let text = "[tracker.trakkar]\napi-url = \"https://t.example\"\ntoken = \"of the file\"";
    let layers = Layers { user_file: Some(user(text).unwrap()), ..Layers::default() };
    let values = [("token".to_owned(), "of the keyring".to_owned())].into();
    let kept = fields::Kept { title: "Secret Service", values };
    let fields = fields::resolve(Role::Tracker, &manifest(), &layers, &kept, USER).unwrap();
    assert_eq!(fields["token"].value.reveal(), "of the keyring");
    assert_eq!(fields["token"].origin.to_string(), "the keyring (Secret Service)");
    assert_eq!(fields_of(&layers).unwrap()["token"].value.reveal(), "of the file");
}

/// Every place that can have the token, the weightiest first, as `weights` switches them on.
fn layers_with_tokens(weights: u32) -> Layers {
    let on =
        |place: u32, text: &str| if weights & (1 << place) == 0 { String::new() } else { text.to_owned() };
    let environment =
        if weights & 1 == 0 { BTreeMap::new() } else { environment(&[("TRAKKAR_TOKEN", "of the variable")]) };
    let marked = on(1, "[keyring]\ntrakkar = [\"token\"]\n");
    let saved = on(2, "[tracker.trakkar]\ntoken = \"saved\"\n");
    let by_hand = on(3, "[tracker.trakkar]\ntoken = \"by hand\"\n");
    let mut left = ConfigFile::empty(Path::new(TALE_DAEMON));
    left.tracker = user(&on(4, "[tracker.trakkar]\ntoken = \"left\"\n")).unwrap().tracker;
    Layers {
        flags: set(&[("api-url", "https://t.example")]),
        environment,
        user_file: Some(user(&by_hand).unwrap()),
        secrets: secrets(&format!("{marked}{saved}")),
        earlier: Some(left),
        ..Layers::default()
    }
}

#[test]
fn a_secret_is_said_to_come_from_where_it_comes_from_and_all_else_to_be_passed_over() {
    let secret = SecretField::all(Role::Tracker, &manifest()).remove(0);
    for weights in 0..32_u32 {
        let layers = layers_with_tokens(weights);
        let title = "not here now";
        let values = fields::in_keyring(&manifest(), &layers).unwrap();
        let values = values.into_iter().map(|name| (name.field, "of the keyring".to_owned())).collect();
        let kept = fields::Kept { title, values };
        let fields = fields::resolve(Role::Tracker, &manifest(), &layers, &kept, USER).unwrap();
        let sources = secret.sources(&layers).unwrap();
        assert_eq!(sources.from.as_ref(), fields.get("token").map(|token| &token.origin), "{weights:05b}");
        let places = sources.from.iter().count() + sources.overridden.len();
        assert_eq!(places, weights.count_ones() as usize, "{weights:05b}: {sources}");
    }
    let all = secret.sources(&layers_with_tokens(31)).unwrap().to_string();
    let expected = format!(
        "TRAKKAR_TOKEN, instead of the keyring (not here now) and {SECRETS} line 4 and {USER} line 2 and {USER} line 2"
    );
    assert_eq!(all, expected);
    assert_eq!(Sources::default().to_string(), "not set");
}
