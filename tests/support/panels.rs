//! What a Grafana dashboard asks: its ClickHouse queries with Grafana's macros and variables filled in, and the metrics
//! that its Prometheus expressions name.
//!
//! The macros are those of the plugin grafana-clickhouse-datasource that our dashboards use, with the plugin's own
//! expansion; one that is not known here is an error, so that no panel goes unchecked.

use serde_json::Value;

/// What Grafana would fill in.
#[derive(Debug, Clone)]
pub struct Fill<'a> {
    /// Begin of the time range, in seconds since the Unix epoch.
    pub from_s: i64,
    /// End of the time range.
    pub to_s: i64,
    /// Seconds between two points of a graph.
    pub interval_s: u32,
    /// Value of the dashboard's variable `tenant`.
    pub tenant: &'a str,
}

/// Title and SQL of each ClickHouse query: of the panels, those in collapsed rows included, and of the variables.
pub fn queries(dashboard: &str, fill: &Fill<'_>) -> Result<Vec<(String, String)>, String> {
    let dashboard: Value =
        serde_json::from_str(dashboard).map_err(|e| format!("the dashboard is no JSON: {e}"))?;
    let mut found = Vec::new();
    for variable in list(&dashboard["templating"]["list"]).filter(|v| v["type"] == "query") {
        let title = format!("variable {}", variable["name"].as_str().unwrap_or("?"));
        let sql = variable["query"].as_str().ok_or_else(|| format!("{title} has no query"))?;
        found.push((title, sql.to_owned()));
    }
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap_or("untitled");
        for sql in list(&panel["targets"]).filter_map(|target| target["rawSql"].as_str()) {
            found.push((title.to_owned(), sql.to_owned()));
        }
    }
    found
        .into_iter()
        .map(|(title, sql)| match expand(&sql, fill) {
            Ok(sql) => Ok((title, sql)),
            Err(error) => Err(format!("{title}: {error}")),
        })
        .collect()
}

/// The panels, those in collapsed rows included.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    list(&dashboard["panels"]).flat_map(|panel| std::iter::once(panel).chain(list(&panel["panels"])))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Fills one query in.
pub fn expand(sql: &str, fill: &Fill<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(variable) = rest.strip_prefix('{') {
            let (name, after) = variable.split_once('}').ok_or("a ${ is not closed")?;
            out.push_str(&match name {
                "tenant:sqlstring" => format!("'{}'", fill.tenant.replace('\'', "''")),
                "tenant" | "tenant:raw" => fill.tenant.to_owned(),
                other => return Err(format!("${{{other}}} is no variable that is known here")),
            });
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        rest = after;
        let (from, to) = (fill.from_s, fill.to_s);
        match name {
            "__interval_s" => out.push_str(&fill.interval_s.to_string()),
            "__fromTime" => out.push_str(&format!("toDateTime({from})")),
            "__toTime" => out.push_str(&format!("toDateTime({to})")),
            "__timeFilter" | "__timeFilter_ms" | "__timeInterval" => {
                let inner = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
                let (column, after) =
                    inner.ok_or_else(|| format!("${name} wants a column in parentheses"))?;
                rest = after;
                out.push_str(&match name {
                    "__timeFilter" => format!("{column} >= toDateTime({from}) AND {column} <= toDateTime({to})"),
                    "__timeFilter_ms" => format!(
                        "{column} >= fromUnixTimestamp64Milli({}) AND {column} <= fromUnixTimestamp64Milli({})",
                        from * 1000,
                        to * 1000
                    ),
                    _ => format!("toStartOfInterval(toDateTime({column}), INTERVAL {} second)", fill.interval_s),
                });
            }
            "tenant" => out.push_str(fill.tenant),
            other => return Err(format!("${other} is no macro that is known here")),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Asks ClickHouse's HTTP interface, as Grafana does; gives the answer's rows.
pub async fn rows(
    url: &str,
    user: &str,
    password: &str,
    database: &str,
    sql: &str,
) -> Result<Vec<String>, String> {
    let answer = reqwest::Client::new()
        .post(url)
        .query(&[("database", database)])
        .header("X-ClickHouse-User", user)
        .header("X-ClickHouse-Key", password)
        .body(format!("{sql}\nFORMAT JSONCompactEachRow"))
        .send()
        .await
        .map_err(|e| format!("ClickHouse does not answer: {e}"))?;
    let status = answer.status();
    let text = answer.text().await.map_err(|e| format!("the answer was cut: {e}"))?;
    if status.is_success() {
        Ok(text.lines().map(str::to_owned).collect())
    } else {
        Err(format!("{status}: {text}"))
    }
}

/// Title and expression of each Prometheus query of the panels.
pub fn expressions(dashboard: &str) -> Result<Vec<(String, String)>, String> {
    let dashboard: Value =
        serde_json::from_str(dashboard).map_err(|e| format!("the dashboard is no JSON: {e}"))?;
    let found = panels(&dashboard).flat_map(|panel| {
        let title = panel["title"].as_str().unwrap_or("untitled");
        list(&panel["targets"])
            .filter_map(|target| target["expr"].as_str())
            .map(move |expr| (title.to_owned(), expr.to_owned()))
    });
    Ok(found.collect())
}

/// A metric in an expression, with the labels that are asked of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its name, as it stands in `/metrics`.
    pub metric: String,
    /// Labels that it is filtered or grouped by, without those that Prometheus adds when it scrapes.
    pub labels: Vec<String>,
}

/// The metrics of our processes in an expression. Labels after `by` are asked of every metric of the expression.
pub fn asked(expr: &str) -> Vec<Asked> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = |list: &str| -> Vec<String> {
        let parts = list.split(',').map(|part| part.trim_start());
        let labels = parts.map(|part| part.split(|c: char| !word(c)).next().unwrap_or_default());
        labels.filter(|l| !l.is_empty() && !matches!(*l, "job" | "instance")).map(str::to_owned).collect()
    };
    let grouped: Vec<String> = expr
        .split("by (")
        .skip(1)
        .filter_map(|rest| Some(names(rest.split_once(')')?.0)))
        .flatten()
        .collect();
    let mut found = Vec::new();
    let mut rest = expr;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let end = rest[at..].find(|c| !word(c)).map_or(rest.len(), |end| at + end);
        let metric = &rest[at..end];
        rest = &rest[end..];
        if metric.starts_with("deskstream_") || metric.starts_with("process_") {
            let mut labels = grouped.clone();
            if let Some((matchers, after)) = rest.strip_prefix('{').and_then(|r| r.split_once('}')) {
                labels.extend(names(matchers));
                rest = after;
            }
            found.push(Asked { metric: metric.to_owned(), labels });
        }
    }
    found
}

/// Whether a process's `/metrics` has a series of that name with all of those labels.
pub fn has(exposition: &str, asked: &Asked) -> bool {
    exposition.lines().any(|line| {
        let Some(rest) = line.strip_prefix(&asked.metric) else { return false };
        rest.starts_with(['{', ' ']) && asked.labels.iter().all(|l| rest.contains(&format!("{l}=\"")))
    })
}
