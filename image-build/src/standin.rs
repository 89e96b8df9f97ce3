//! Stands in for `orlop::config::read` and the conversion of images until their rooms are merged.

use orlop::config::Config;

pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

#[derive(PartialEq, Eq)]
pub(crate) enum Severity {
    Error,
    Warning,
}

pub(crate) struct Diagnostic {
    pub(crate) severity: Severity,
    message: String,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

pub(crate) struct Reading {
    pub(crate) config: Config,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads `modules = ["a"]` of a line of its own; a line `wrong` is an error, `odd` a warning.
pub(crate) fn read(sources: &[Source]) -> Reading {
    let mut reading = Reading { config: Config::default(), diagnostics: Vec::new() };
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            if let Some(list) = line.strip_prefix("modules = ") {
                let names = list.split('"').skip(1).step_by(2).map(str::to_owned);
                reading.config.host.modules.extend(names);
            }
            let severity = match line {
                "wrong" => Severity::Error,
                "odd" => Severity::Warning,
                _ => continue,
            };
            let message = format!("{}:{}: {line}", source.path, index + 1);
            reading.diagnostics.push(Diagnostic { severity, message });
        }
    }
    reading
}
