//! The questions analysts start from (`sql/queries`), as part of the program: `deskstream` prints and runs them.

/// A question in SQL, with a comment that says which, and its parameters as `{name:Type}`.
#[derive(Debug, Clone, Copy)]
pub struct Query {
    /// The file's name without `.sql`.
    pub name: &'static str,
    /// The statement with its comments.
    pub sql: &'static str,
}

impl Query {
    /// The question: the text of the leading comment, without the line of parameters.
    pub fn question(&self) -> String {
        let lines = self.sql.lines().map_while(|line| line.strip_prefix("--"));
        lines
            .filter(|line| !line.trim_start().starts_with("Parameters:"))
            .map(str::trim)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The parameters with a type and an example value each: `tenant`, `String`, `acme`.
    pub fn parameters(&self) -> Vec<(&'static str, &'static str, &'static str)> {
        let line = self.sql.lines().find_map(|line| line.strip_prefix("-- Parameters:"));
        line.into_iter()
            .flat_map(|line| line.split(','))
            .filter_map(|parameter| {
                let (declared, example) = parameter.split_once('=')?;
                let (name, kind) = declared.trim().split_once(' ')?;
                Some((name, kind.trim(), example.trim().trim_matches('\'')))
            })
            .collect()
    }
}

macro_rules! queries {
    ($($name:literal),* $(,)?) => {
        /// Every question, by name.
        pub const QUERIES: &[Query] = &[$(Query { name: $name, sql: include_str!(concat!("../../../sql/queries/", $name, ".sql")) }),*];
    };
}

queries![
    "alert_episodes",
    "audit_of_resource",
    "dead_letters_by_reason",
    "integrity_doubled_offsets",
    "integrity_doubled_source_offsets",
    "integrity_missing_source_offsets",
    "integrity_tickets_behind",
    "latency_by_day",
    "model_cost",
    "open_tickets",
    "quality_by_label",
    "redactions_by_kind",
    "root_causes_by_week",
    "second_opinions",
    "sentiment_by_day",
    "shadow_agreement",
    "ticket_history",
    "uncertain_judgements",
    "write_back_results",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn every_file_is_embedded() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sql/queries");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
            .collect();
        files.sort();
        assert_eq!(files, QUERIES.iter().map(|query| query.name).collect::<Vec<_>>());
    }

    #[test]
    fn every_query_says_what_it_asks_and_declares_its_parameters() {
        for query in QUERIES {
            assert!(query.question().len() > 20, "{}", query.name);
            for (name, kind, _) in query.parameters() {
                assert!(query.sql.contains(&format!("{{{name}:{kind}}}")), "{}: {name}", query.name);
            }
            assert_eq!(
                query.sql.matches(":String}").count() > 0,
                query.parameters().iter().any(|p| p.1 == "String")
            );
        }
    }
}
