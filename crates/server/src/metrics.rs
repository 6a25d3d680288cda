//! Counters and gauges in the text format of Prometheus. A few dozen lines of ours instead of a library: what is
//! counted is little, and its names are fixed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use parking_lot::Mutex;

const SERIES_MAX: usize = 5_000;

/// All counters of the server.
#[derive(Debug, Default)]
pub struct Metrics(Mutex<BTreeMap<&'static str, Family>>);

/// Gauges with labels, measured when somebody asks.
#[derive(Debug, Default)]
pub struct Gauges(BTreeMap<&'static str, Family>);

impl Gauges {
    pub fn add(&mut self, name: &'static str, help: &'static str, labels: &[(&str, &str)], value: f64) {
        let family = self.0.entry(name).or_insert_with(|| Family { help, series: BTreeMap::new() });
        if family.series.len() < SERIES_MAX {
            family.series.insert(written(labels), value);
        }
    }

    pub fn render(&self) -> String {
        let mut text = String::new();
        for (name, family) in &self.0 {
            let _ = write!(text, "# HELP {name} {}\n# TYPE {name} gauge\n", family.help);
            for (labels, value) in &family.series {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text
    }
}

#[derive(Debug)]
struct Family {
    help: &'static str,
    series: BTreeMap<String, f64>,
}

impl Metrics {
    /// Adds to a counter; its name ends in `_total`.
    pub fn add(&self, name: &'static str, help: &'static str, labels: &[(&str, &str)], by: f64) {
        let mut families = self.0.lock();
        let family = families.entry(name).or_insert_with(|| Family { help, series: BTreeMap::new() });
        let labels = written(labels);
        if family.series.len() < SERIES_MAX || family.series.contains_key(&labels) {
            *family.series.entry(labels).or_default() += by;
        }
    }

    /// All counters, and the gauges that are handed in: name, help, value.
    pub fn render(&self, gauges: &[(&str, &str, f64)]) -> String {
        let mut text = String::new();
        for (name, help, value) in gauges {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
        }
        for (name, family) in &*self.0.lock() {
            let _ = write!(text, "# HELP {name} {}\n# TYPE {name} counter\n", family.help);
            for (labels, value) in &family.series {
                let _ = writeln!(text, "{name}{labels} {value}");
            }
        }
        text
    }
}

fn written(labels: &[(&str, &str)]) -> String {
    if labels.is_empty() {
        return String::new();
    }
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        })
        .collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_as_prometheus_reads_it() {
        let metrics = Metrics::default();
        metrics.add("x_total", "How many x.", &[("kind", "a\"b")], 1.0);
        metrics.add("x_total", "How many x.", &[("kind", "a\"b")], 2.0);
        assert_eq!(
            metrics.render(&[("up", "Is up.", 1.0)]),
            "# HELP up Is up.\n# TYPE up gauge\nup 1\n# HELP x_total How many x.\n# TYPE x_total counter\nx_total{kind=\"a\\\"b\"} 3\n"
        );
    }
}
