//! One `config.toml`, read into what it says and on which line.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::key::{Key, unknown};
use super::origin::Origin;

/// Largest file in bytes: settings are a few hundred.
pub const FILE_BYTES: u64 = 256 * 1024;

/// Names of the tables, besides the keys.
const TABLES: [&str; 8] =
    ["repos", "tracker", "providers", "forge", "retention", "network", "keyring", "agents"];

/// Who wrote a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The operator.
    Operator,
    /// Whoever can write to the repository.
    Repository,
}

/// A value as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The value.
    pub written: Written,
    /// Where it stands.
    pub origin: Origin,
}

/// A value before anybody knows what it should be.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// From the command line or the environment, where everything is text.
    Text(String),
    /// From a file, where values have types.
    Value(serde_json::Value),
}

impl Given {
    /// What a list of texts holds; `None` for anything else.
    pub fn texts(&self) -> Option<Vec<&str>> {
        let Written::Value(serde_json::Value::Array(items)) = &self.written else { return None };
        items.iter().map(serde_json::Value::as_str).collect()
    }
}

/// Fields of plugins: by plugin id, then by field.
pub type Tables = BTreeMap<String, BTreeMap<String, Given>>;

/// What one file says.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigFile {
    /// Which file.
    pub path: PathBuf,
    /// The single values.
    pub keys: BTreeMap<Key, Given>,
    /// Key and path, in the order of the file.
    pub repositories: Vec<(String, Given)>,
    /// `[tracker.ID]`.
    pub tracker: Tables,
    /// `[providers.ID]`.
    pub providers: Tables,
    /// `[forge."HOST"]`.
    pub forges: Tables,
    /// `[retention]`, by name.
    pub retention: BTreeMap<String, Given>,
    /// `[keyring]`: lists of secret fields, by plugin.
    pub keyring: BTreeMap<String, Given>,
    /// `[network]`, by name.
    pub network: BTreeMap<String, Given>,
    /// `[agents]`, by name.
    pub agents: BTreeMap<String, Given>,
}

impl ConfigFile {
    /// Reads a file; `None` if there is none.
    pub fn read(path: &Path, whose: Whose) -> Result<Option<Self>, ConfigError> {
        read_text(path)?.map(|text| Self::parse(path, &text, whose)).transpose()
    }

    /// A file that says nothing.
    pub fn empty(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            keys: BTreeMap::new(),
            repositories: Vec::new(),
            tracker: Tables::new(),
            providers: Tables::new(),
            forges: Tables::new(),
            retention: BTreeMap::new(),
            keyring: BTreeMap::new(),
            network: BTreeMap::new(),
            agents: BTreeMap::new(),
        }
    }

    /// Reads the text of a file.
    pub fn parse(path: &Path, text: &str, whose: Whose) -> Result<Self, ConfigError> {
        let reader = Reader { path, text, whose };
        let document = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: reader.line(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        reader.document(document.get_ref())
    }
}

/// The text of a file of settings; `None` if there is none.
pub fn read_text(path: &Path) -> Result<Option<String>, ConfigError> {
    let unreadable = |error| ConfigError::Unreadable { path: path.to_owned(), error };
    let file = match std::fs::File::open(path) {
        Err(error) if is_absent(&error) => return Ok(None),
        file => file.map_err(unreadable)?,
    };
    let mut text = String::new();
    file.take(FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES {
        return Err(ConfigError::TooLarge(path.to_owned()));
    }
    Ok(Some(text))
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

/// Turns places in the text into lines and errors.
struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    whose: Whose,
}

type Entry<'a, 'i> = (&'a Spanned<std::borrow::Cow<'i, str>>, &'a Spanned<DeValue<'i>>);

impl Reader<'_> {
    fn document(&self, document: &DeTable<'_>) -> Result<ConfigFile, ConfigError> {
        let mut file = ConfigFile::empty(self.path);
        for entry in in_order(document) {
            let name: &str = entry.0.get_ref();
            if let Some(key) = Key::from_name(name) {
                file.keys.insert(key, self.key(key, entry)?);
                continue;
            }
            match name {
                "repos" => {
                    self.refuse_repository(entry, "it decides what is worked on")?;
                    for entry in in_order(self.table(entry)?) {
                        file.repositories.push((entry.0.get_ref().to_string(), self.given(entry)?));
                    }
                }
                "tracker" => file.tracker = self.tables(entry)?,
                "providers" => {
                    self.refuse_repository(entry, "it decides which program is started")?;
                    file.providers = self.tables(entry)?;
                }
                "forge" => {
                    self.refuse_repository(entry, "it decides where your token goes")?;
                    file.forges = self.tables(entry)?;
                }
                "retention" => {
                    self.refuse_repository(entry, "it decides what is deleted")?;
                    file.retention = self.values(entry)?;
                }
                "keyring" => {
                    self.refuse_repository(entry, "it decides where your secrets are looked for")?;
                    file.keyring = self.values(entry)?;
                }
                "network" => {
                    self.refuse_repository(entry, "it decides which way your requests take")?;
                    file.network = self.values(entry)?;
                }
                "agents" => {
                    self.refuse_repository(entry, "it decides what agents reach")?;
                    file.agents = self.values(entry)?;
                }
                _ => return Err(self.unknown(entry)),
            }
        }
        Ok(file)
    }

    fn key(&self, key: Key, entry: Entry<'_, '_>) -> Result<Given, ConfigError> {
        if !key.allowed_in_repository() {
            self.refuse_repository(entry, "it is the operator's decision")?;
        }
        if matches!((key, entry.1.get_ref()), (Key::Provider, DeValue::Table(_))) {
            return Err(ConfigError::Value {
                place: self.origin(entry),
                key: key.name().to_owned(),
                value: "a table".to_owned(),
                expected: "a name or a list of names; settings of one provider go in `[providers.NAME]`"
                    .to_owned(),
            });
        }
        self.given(entry)
    }

    fn values(&self, entry: Entry<'_, '_>) -> Result<BTreeMap<String, Given>, ConfigError> {
        let values = in_order(self.table(entry)?).into_iter();
        values.map(|entry| Ok((entry.0.get_ref().to_string(), self.given(entry)?))).collect()
    }

    fn tables(&self, entry: Entry<'_, '_>) -> Result<Tables, ConfigError> {
        let mut tables = Tables::new();
        for plugin in in_order(self.table(entry)?) {
            tables.insert(plugin.0.get_ref().to_string(), self.values(plugin)?);
        }
        Ok(tables)
    }

    fn table<'a, 'i>(&self, entry: Entry<'a, 'i>) -> Result<&'a DeTable<'i>, ConfigError> {
        match entry.1.get_ref() {
            DeValue::Table(table) => Ok(table),
            other => Err(ConfigError::Value {
                place: self.origin(entry),
                key: entry.0.get_ref().to_string(),
                value: kind_of(other).to_owned(),
                expected: "a table of settings, such as `[tracker.NAME]`".to_owned(),
            }),
        }
    }

    fn given(&self, entry: Entry<'_, '_>) -> Result<Given, ConfigError> {
        let origin = self.origin(entry);
        match to_json(entry.1.get_ref()) {
            Some(value) => Ok(Given { written: Written::Value(value), origin }),
            None => Err(ConfigError::Value {
                place: origin,
                key: entry.0.get_ref().to_string(),
                value: kind_of(entry.1.get_ref()).to_owned(),
                expected: "text, a number that fits 64 bits, true or false, or a list of texts".to_owned(),
            }),
        }
    }

    fn refuse_repository(&self, entry: Entry<'_, '_>, why: &'static str) -> Result<(), ConfigError> {
        match self.whose {
            Whose::Operator => Ok(()),
            Whose::Repository => Err(ConfigError::NotForRepositories {
                place: self.origin(entry),
                key: entry.0.get_ref().to_string(),
                why,
            }),
        }
    }

    fn unknown(&self, entry: Entry<'_, '_>) -> ConfigError {
        let known = Key::ALL.into_iter().map(Key::name).chain(TABLES);
        unknown(entry.0.get_ref(), known, self.origin(entry))
    }

    fn origin(&self, entry: Entry<'_, '_>) -> Origin {
        Origin::File { path: self.path.to_owned(), line: self.line(entry.0.span().start) }
    }

    /// The line of a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        let before = self.text.as_bytes().get(..byte).unwrap_or(self.text.as_bytes());
        before.split(|byte| *byte == b'\n').count()
    }
}

/// The entries as they stand in the file.
fn in_order<'a, 'i>(table: &'a DeTable<'i>) -> Vec<Entry<'a, 'i>> {
    let mut entries: Vec<Entry<'a, 'i>> = table.iter().collect();
    entries.sort_by_key(|entry| entry.0.span().start);
    entries
}

/// Scalars and lists of them; nothing else is a value of a setting.
fn to_json(value: &DeValue<'_>) -> Option<serde_json::Value> {
    match value {
        DeValue::String(text) => Some(text.as_ref().into()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(Into::into),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().map(Into::into),
        DeValue::Boolean(truth) => Some((*truth).into()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| to_json(item.get_ref()));
            items.collect::<Option<Vec<_>>>().map(Into::into)
        }
        DeValue::Table(_) | DeValue::Datetime(_) => None,
    }
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
