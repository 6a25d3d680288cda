//! What the commands on users, rules, channels and so on have in common: list, show, create, update, delete.

use std::io::Read as _;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::output::{self, Column, Format};
use crate::remote::{Client, Remote};

// No doc comment: clap would show it in the place of what each command says of itself.
#[derive(Debug, clap::Args)]
pub struct Call<C: Subcommand> {
    #[command(flatten)]
    pub remote: Remote,
    /// How to show results
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: Format,
    #[command(subcommand)]
    pub command: C,
}

/// A kind of thing the API keeps a list of.
pub struct Kind {
    pub noun: &'static str,
    /// Where the list is.
    pub path: &'static str,
    pub columns: &'static [Column],
    /// Members an update may send.
    pub editable: &'static [&'static str],
    /// The member that addresses one: `id`, or `name` for what is addressed by its name.
    pub key: &'static str,
}

const LIST_MAX: usize = 10_000;

impl Kind {
    pub async fn list(&self, client: &Client, format: Format) -> Result<()> {
        let items = client.items(self.path, &[], LIST_MAX).await?;
        output::rows(format, self.columns, &items)
    }

    /// The thing of that id or name.
    pub async fn find(&self, client: &Client, id_or_name: &str) -> Result<Value> {
        let items = client.items(self.path, &[], LIST_MAX).await?;
        if let Some(exact) = items.iter().find(|item| item[self.key] == id_or_name || item["id"] == id_or_name) {
            return Ok(exact.clone());
        }
        let mut named =
            items.iter().filter(|item| item["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(id_or_name)));
        match (named.next(), named.next()) {
            (Some(found), None) => Ok(found.clone()),
            (Some(_), Some(_)) => bail!("there are several {}s named {id_or_name}; use the id", self.noun),
            (None, _) => {
                let names: Vec<&str> = items.iter().filter_map(|item| item["name"].as_str()).take(20).collect();
                let known = if names.is_empty() {
                    "there is none at all".to_owned()
                } else {
                    format!("there are {}", names.join(", "))
                };
                bail!("there is no {} {id_or_name}; {known}", self.noun)
            }
        }
    }

    /// Where one is.
    pub async fn path_of(&self, client: &Client, id_or_name: &str) -> Result<String> {
        let found = self.find(client, id_or_name).await?;
        let id = found[self.key].as_str().with_context(|| format!("the {} has no {}", self.noun, self.key))?;
        Ok(format!("{}/{}", self.path, escape(id)))
    }

    pub async fn show(&self, client: &Client, id_or_name: &str, format: Format) -> Result<()> {
        output::one(format, &self.find(client, id_or_name).await?)
    }

    pub async fn create(&self, client: &Client, body: &Value, format: Format) -> Result<()> {
        let made = client.post(self.path, body).await?;
        output::one(format, &made)
    }

    /// Reads it, changes what is to change, writes it back.
    pub async fn update(&self, client: &Client, id_or_name: &str, edit: &Edit, format: Format) -> Result<()> {
        let path = self.path_of(client, id_or_name).await?;
        let mut body = self.find(client, id_or_name).await?;
        if let Value::Object(members) = &mut body {
            members.retain(|name, _| self.editable.contains(&name.as_str()));
        }
        edit.apply(&mut body)?;
        let changed = client.put(&path, &body).await?;
        output::one(format, &changed)
    }

    /// Has the server try it, and shows how that went.
    pub async fn test(&self, client: &Client, id_or_name: &str, format: Format) -> Result<Value> {
        let path = self.path_of(client, id_or_name).await?;
        let result = client.post(&format!("{path}/test"), &json!({})).await?;
        output::one(format, &result)?;
        Ok(result)
    }

    pub async fn delete(&self, client: &Client, id_or_name: &str) -> Result<()> {
        let path = self.path_of(client, id_or_name).await?;
        client.delete(&path).await?;
        output::note(format!("{} {id_or_name} deleted", self.noun));
        Ok(())
    }
}

/// How a thing is described on the command line: by a file, and by single values.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Edit {
    /// JSON file with the members; - reads standard input
    #[arg(long, value_name = "FILE")]
    pub file: Option<String>,
    /// One member, dotted: enabled=false, settings.url=https://…; a value that is JSON is taken as JSON
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
}

impl Edit {
    /// Lays the file, then the single values, over `body`.
    pub fn apply(&self, body: &mut Value) -> Result<()> {
        if let Some(file) = &self.file {
            let text = read(file)?;
            let given: Value = serde_json::from_str(&text).with_context(|| format!("{file} is not JSON"))?;
            let Value::Object(given) = given else { bail!("{file} must hold a JSON object") };
            members(body)?.extend(given);
        }
        for pair in &self.set {
            let (path, text) = pair.split_once('=').with_context(|| format!("--set {pair}: write NAME=VALUE"))?;
            put(body, path, read_value(text))?;
        }
        Ok(())
    }
}

/// Puts settings, each as `NAME=VALUE`, into `settings` of `body`: a value that is JSON is taken as JSON, `@FILE` is
/// read from the file.
pub fn put_settings(body: &mut Value, settings: &[String]) -> Result<()> {
    for pair in settings {
        let (name, text) = pair.split_once('=').with_context(|| format!("--setting {pair}: write NAME=VALUE"))?;
        let value = match text.strip_prefix('@') {
            Some(file) => Value::String(read(file)?.trim_end().to_owned()),
            None => read_value(text),
        };
        put(body, &format!("settings.{name}"), value)?;
    }
    Ok(())
}

/// JSON as it is, anything else as a text.
fn read_value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Puts `value` at a dotted path.
fn put(body: &mut Value, path: &str, value: Value) -> Result<()> {
    let mut place = body;
    for part in path.split('.') {
        if part.is_empty() {
            bail!("{path} is no name");
        }
        place = members(place)
            .with_context(|| format!("{path} lies in something that has no members"))?
            .entry(part)
            .or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

fn members(value: &mut Value) -> Result<&mut Map<String, Value>> {
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().context("this is no object")
}

/// A file, or standard input for `-`.
pub fn read(file: &str) -> Result<String> {
    if file == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("can't read standard input")?;
        return Ok(text);
    }
    std::fs::read_to_string(file).with_context(|| format!("can't read {file}"))
}

/// An id as part of a path.
pub fn escape(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_laid_over_what_is_there() {
        let mut body = json!({"enabled": true, "settings": {"url": "https://a"}});
        let edit = Edit {
            file: None,
            set: vec!["enabled=false".into(), "settings.url=https://b".into(), "settings.to=[\"x\"]".into()],
        };
        edit.apply(&mut body).unwrap();
        assert_eq!(body, json!({"enabled": false, "settings": {"url": "https://b", "to": ["x"]}}));
        assert!(Edit { file: None, set: vec!["enabled.x=1".into()] }.apply(&mut body).is_err());
        assert!(Edit { file: None, set: vec!["x".into()] }.apply(&mut body).is_err());
        assert_eq!(escape("a b/ü"), "a%20b%2F%C3%BC");
    }
}
