//! Which sources there are, and the compiled mapping of each.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use sqlx::SqlitePool;
use wire::mapping::{self, Mapping, Meta};
use wire::syslog::Syslog;

use super::trial;
use crate::append::Door;
use crate::state::mapping_samples;
use crate::state::mappings::{self, StoredMapping};
use crate::state::sources::{self, Source};

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("there is no source {name}")]
    UnknownSource { name: String },
    #[error("the source {name} is not granted to this application")]
    NotGranted { name: String },
    #[error("source {name} is switched off")]
    Disabled { name: String },
    #[error("there is no mapping {name}")]
    UnknownMapping { name: String },
    #[error("mapping {name} does not compile{}", .errors.first().map(|error| format!(": {error}")).unwrap_or_default())]
    Compile { name: String, errors: Vec<mapping::CompileError> },
    #[error(
        "{} of the samples that mapping {name} can read could not be read any more{}",
        .errors.len(),
        .errors.first().map(|(nth, reason)| format!("; sample {}: {reason}", nth + 1)).unwrap_or_default()
    )]
    Samples { name: String, errors: Vec<(usize, String)> },
    #[error("{reason}")]
    Invalid { field: &'static str, reason: String },
    #[error("source {name} exists already")]
    Taken { name: String },
    #[error("source {name} ships with Belfry; switch it off instead")]
    Builtin { name: String },
    #[error("the state database failed")]
    State(#[from] sqlx::Error),
}

/// A mapping ready to run, and where it is from.
pub struct Compiled {
    pub mapping: Mapping,
    /// `name@version`, as events keep it.
    pub label: String,
    pub name: String,
    pub version: u32,
    pub description: String,
    pub program: String,
    pub builtin: bool,
    pub updated_at: Option<i64>,
    pub updated_by: Option<String>,
}

/// A version of a mapping to be stored.
#[derive(Debug, Clone, Copy)]
pub struct NewVersion<'a> {
    pub program: &'a str,
    /// The samples to keep from now on; those kept so far stay without.
    pub samples: Option<&'a [String]>,
    /// Store it whatever the samples say.
    pub force: bool,
    pub by: &'a str,
    pub now_ms: i64,
}

/// What reads the records of a source.
#[derive(Clone)]
pub struct Reader {
    compiled: Arc<Compiled>,
    telling: Arc<Vec<Arc<Compiled>>>,
}

impl Reader {
    pub fn by(&self) -> ReaderRef<'_> {
        ReaderRef { compiled: &self.compiled, telling: &self.telling }
    }
}

/// [`Reader`], borrowed.
#[derive(Clone, Copy)]
pub struct ReaderRef<'t> {
    pub compiled: &'t Compiled,
    /// Other mappings that may know a record better; empty for a source that has a mapping of its own.
    pub telling: &'t [Arc<Compiled>],
}

impl ReaderRef<'_> {
    /// The records of a bundle, where this is one: of the source's own mapping, or of one that recognises its first.
    pub fn split<'r>(&self, record: &'r [u8], meta: &Meta<'_>) -> Option<Vec<&'r [u8]>> {
        self.compiled.mapping.split(record).or_else(|| {
            self.telling.iter().find_map(|compiled| {
                let records = compiled.mapping.split(record)?;
                let first = records.first()?;
                compiled.mapping.recognises(first, meta).then_some(records)
            })
        })
    }
}

#[derive(Default)]
struct Tables {
    sources: HashMap<String, Source>,
    mappings: HashMap<String, Arc<Compiled>>,
    /// Those that recognise their records, in force: what `generic` and `cef` hand records over to.
    telling: Arc<Vec<Arc<Compiled>>>,
    /// The administrator's own sources by the applications their mappings name, in small letters.
    apps: HashMap<String, String>,
}

impl Tables {
    /// Those that may know a record better than this mapping does.
    fn telling_of(&self, mapping: &str) -> Option<&Arc<Vec<Arc<Compiled>>>> {
        matches!(mapping, "generic" | "cef").then_some(&self.telling)
    }

    fn reads<'t>(&'t self, compiled: &'t Compiled) -> ReaderRef<'t> {
        let telling = self.telling_of(&compiled.name).map_or(&[][..], |telling| telling);
        ReaderRef { compiled, telling }
    }
}

/// Which source reads which syslog message, as it was settled when this was asked for. Cheap to clone.
#[derive(Clone)]
pub struct Routes(Arc<Tables>);

impl Routes {
    /// The source of a message that names none, by its application, else by its form; and the mapping that reads it.
    pub fn of(&self, message: &Syslog<'_>) -> (&str, Option<ReaderRef<'_>>) {
        let tables = &*self.0;
        let app = message.app.as_deref().unwrap_or_default();
        let own = if tables.apps.is_empty() || app.is_empty() {
            None
        } else if app.bytes().any(|byte| byte.is_ascii_uppercase()) {
            tables.apps.get(&app.to_ascii_lowercase())
        } else {
            tables.apps.get(app)
        };
        let name = own.map_or_else(|| mapping::for_app(message), String::as_str);
        let source = tables.sources.get(name).filter(|source| source.enabled);
        let source = source.or_else(|| tables.sources.get("generic"));
        let Some(source) = source else { return ("generic", None) };
        (&source.name, tables.mappings.get(&source.mapping).map(|compiled| tables.reads(compiled)))
    }
}

/// The sources and mappings in force. Reading takes no lock for longer than a clone.
pub struct Registry {
    pool: SqlitePool,
    tables: RwLock<Arc<Tables>>,
}

impl Registry {
    /// Reads sources and mappings; adds a source for each shipped mapping that has none yet.
    pub async fn open(pool: SqlitePool, now_ms: i64) -> Result<Self, RegistryError> {
        for shipped in mapping::builtin() {
            let source = Source {
                name: shipped.name.to_owned(),
                title: shipped.title(),
                mapping: shipped.name.to_owned(),
                builtin: true,
                enabled: true,
                created_at: now_ms,
            };
            sources::add(&pool, &source).await?;
        }
        let registry = Self { pool, tables: RwLock::default() };
        registry.reload().await?;
        Ok(registry)
    }

    /// Reads the state again, after a change.
    pub async fn reload(&self) -> Result<(), RegistryError> {
        let mut tables = Tables::default();
        let before = self.tables.read().clone();
        for shipped in mapping::builtin() {
            let compiled = match before.mappings.get(shipped.name).filter(|known| known.builtin) {
                Some(known) => known.clone(),
                None => Arc::new(compile(shipped.name, 1, shipped.program, None)?),
            };
            tables.mappings.insert(shipped.name.to_owned(), compiled);
        }
        for stored in mappings::newest(&self.pool).await? {
            let version = u32::try_from(stored.version).unwrap_or(u32::MAX);
            let compiled = compile(&stored.name, version, &stored.program, Some(&stored))?;
            tables.mappings.insert(stored.name.clone(), Arc::new(compiled));
        }
        for source in sources::all(&self.pool).await? {
            tables.sources.insert(source.name.clone(), source);
        }
        let telling = tables.mappings.values().filter(|compiled| {
            let source = tables.sources.get(&compiled.name);
            compiled.mapping.is_telling() && source.is_some_and(|source| source.enabled)
        });
        let mut telling: Vec<Arc<Compiled>> = telling.cloned().collect();
        telling.sort_by(|a, b| a.name.cmp(&b.name));
        tables.telling = Arc::new(telling);
        for source in tables.sources.values().filter(|source| source.enabled && !source.builtin) {
            let Some(compiled) = tables.mappings.get(&source.mapping) else { continue };
            for app in compiled.mapping.apps() {
                tables.apps.insert(app.to_ascii_lowercase(), source.name.clone());
            }
        }
        *self.tables.write() = Arc::new(tables);
        Ok(())
    }

    /// The mapping that reads source `name`. `None` for a source that sends events already.
    pub fn reader(&self, name: &str) -> Result<Option<Reader>, RegistryError> {
        let tables = self.tables.read().clone();
        let source = tables.sources.get(name).or_else(|| tables.sources.get(mapping::alias(name)?));
        let source = source.ok_or_else(|| RegistryError::UnknownSource { name: name.to_owned() })?;
        if !source.enabled {
            return Err(RegistryError::Disabled { name: name.to_owned() });
        }
        if source.mapping.is_empty() {
            return Ok(None);
        }
        let compiled = tables.mappings.get(&source.mapping).cloned();
        let compiled = compiled.ok_or_else(|| RegistryError::UnknownMapping { name: source.mapping.clone() })?;
        let telling = tables.telling_of(&source.mapping).cloned().unwrap_or_default();
        Ok(Some(Reader { compiled, telling }))
    }

    /// How syslog messages find their sources at this moment.
    pub fn routes(&self) -> Routes {
        Routes(self.tables.read().clone())
    }

    pub fn source(&self, name: &str) -> Option<Source> {
        self.tables.read().sources.get(name).cloned()
    }

    pub fn mapping(&self, name: &str) -> Option<Arc<Compiled>> {
        self.tables.read().mappings.get(name).cloned()
    }

    pub fn sources(&self) -> Vec<Source> {
        let mut sources: Vec<Source> = self.tables.read().sources.values().cloned().collect();
        sources.sort_by(|a, b| a.name.cmp(&b.name));
        sources
    }

    pub fn mappings(&self) -> Vec<Arc<Compiled>> {
        let mut mappings: Vec<Arc<Compiled>> = self.tables.read().mappings.values().cloned().collect();
        mappings.sort_by(|a, b| a.name.cmp(&b.name));
        mappings
    }

    /// Adds a source of the administrator's own.
    pub async fn add(&self, source: Source) -> Result<(), RegistryError> {
        self.check(&source.name, &source.mapping)?;
        if !sources::add(&self.pool, &source).await? {
            return Err(RegistryError::Taken { name: source.name });
        }
        self.reload().await
    }

    pub async fn update(&self, name: &str, title: &str, mapping: &str, enabled: bool) -> Result<(), RegistryError> {
        self.source(name).ok_or_else(|| RegistryError::UnknownSource { name: name.to_owned() })?;
        self.check(name, mapping)?;
        sources::update(&self.pool, name, title, mapping, enabled).await?;
        self.reload().await
    }

    pub async fn remove(&self, name: &str) -> Result<(), RegistryError> {
        let source = self.source(name).ok_or_else(|| RegistryError::UnknownSource { name: name.to_owned() })?;
        if source.builtin {
            return Err(RegistryError::Builtin { name: name.to_owned() });
        }
        sources::remove(&self.pool, name).await?;
        self.reload().await
    }

    /// Stores a new version of a mapping, and the samples beside it where some are given; answers its number. One that
    /// does not compile is refused, and one that can't read a sample which could be read so far, unless it is forced.
    pub async fn save(&self, name: &str, new: &NewVersion<'_>, door: &Door) -> Result<u32, RegistryError> {
        check_name("name", name)?;
        let old = self.mapping(name);
        let version = old.as_ref().map_or(1, |known| known.version + 1);
        let kept = match new.samples {
            Some(samples) => samples.to_vec(),
            None => mapping_samples::of(&self.pool, name).await?,
        };
        let mapping = Mapping::compile(name, &mapping::version_of(new.program), new.program)
            .map_err(|errors| RegistryError::Compile { name: name.to_owned(), errors })?;
        if !new.force {
            let (door, name) = (door.clone(), name.to_owned());
            tokio::task::spawn_blocking(move || {
                let old = old.as_ref().map(|old| &old.mapping);
                let errors = trial::broken(old, &mapping, &door, &kept);
                if errors.is_empty() { Ok(()) } else { Err(RegistryError::Samples { name, errors }) }
            })
            .await
            .unwrap_or_else(|_| {
                Err(RegistryError::Invalid { field: "samples", reason: "the samples could not be run".to_owned() })
            })?;
        }
        let stored = StoredMapping {
            name: name.to_owned(),
            version: i64::from(version),
            program: new.program.to_owned(),
            created_at: new.now_ms,
            created_by: new.by.to_owned(),
        };
        let mut transaction = crate::state::begin_write(&self.pool).await?;
        mappings::add(&mut transaction, &stored).await?;
        if let Some(samples) = new.samples {
            mapping_samples::replace(&mut transaction, name, samples).await?;
        }
        transaction.commit().await?;
        self.reload().await?;
        Ok(version)
    }

    fn check(&self, name: &str, mapping: &str) -> Result<(), RegistryError> {
        check_name("name", name)?;
        if !mapping.is_empty() && self.mapping(mapping).is_none() {
            return Err(RegistryError::UnknownMapping { name: mapping.to_owned() });
        }
        Ok(())
    }
}

/// Paths of the API and of the console stand where names stand.
const RESERVED: &[&str] = &["new", "reference", "propose"];

fn check_name(field: &'static str, name: &str) -> Result<(), RegistryError> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        let reason = format!("{name:?} can't be a name: use 1 to 64 of a-z, 0-9, dot, dash and underscore");
        return Err(RegistryError::Invalid { field, reason });
    }
    if RESERVED.contains(&name) {
        return Err(RegistryError::Invalid {
            field,
            reason: format!("{name} is taken by a page of its own, choose another name"),
        });
    }
    if name == crate::append::OWN_SOURCE {
        let reason = format!("{name} is the name of Belfry's own events");
        return Err(RegistryError::Invalid { field, reason });
    }
    Ok(())
}

fn compile(name: &str, version: u32, program: &str, stored: Option<&StoredMapping>) -> Result<Compiled, RegistryError> {
    let mapping = Mapping::compile(name, &mapping::version_of(program), program)
        .map_err(|errors| RegistryError::Compile { name: name.to_owned(), errors })?;
    Ok(Compiled {
        label: mapping.id(),
        description: mapping.title().to_owned(),
        mapping,
        name: name.to_owned(),
        version,
        program: program.to_owned(),
        builtin: stored.is_none(),
        updated_at: stored.map(|stored| stored.created_at),
        updated_by: stored.map(|stored| stored.created_by.clone()),
    })
}
