//! `andon query`: SQL from the command line, of a running Andon or of a data folder.

use super::{block_on, client::Client, data::Data, moment};
use andon_models::window::Window;
use andon_query::{Historian, SqlAnswer, SqlLimits};
use anyhow::Context;
use serde_json::Value;
use std::{io::Write, process::ExitCode};

/// Arguments of `andon query`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  andon query \"SELECT * FROM asset\"\n  \
                  andon query \"SELECT time, asset, fill_temp FROM filler ORDER BY time DESC LIMIT 10\"\n  \
                  andon query --from \"2026-03-02 06:00\" --to 2026-03-02T13:00:00Z \\\n    \
                  'SELECT asset, avg(fill_temp) FROM filler WHERE time > $from AND time <= $to GROUP BY asset'\n  \
                  andon query --data ./data -o csv \"SELECT * FROM alarms\" > alarms.csv")]
pub struct Query {
    /// The statement; it can only read.
    sql: String,
    /// What `$from` in the statement stands for: "2026-03-02 06:00" in plant time, or 2026-03-02T05:00:00Z or with another offset.
    #[arg(long, requires = "to", value_name = "TIME")]
    from: Option<String>,
    /// What `$to` in the statement stands for.
    #[arg(long, requires = "from", value_name = "TIME")]
    to: Option<String>,
    /// A running Andon.
    #[arg(long, default_value = "http://127.0.0.1:8080", env = "ANDON_URL")]
    url: String,
    /// A data folder or s3://bucket/plant, read without a running Andon, whatever --url says.
    #[arg(long, value_name = "DIR or URL")]
    data: Option<Data>,
    /// How the answer is printed.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Output {
    Table,
    Csv,
    Json,
}

impl Query {
    /// Asks and prints.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let span = self.from.as_deref().zip(self.to.as_deref());
        let answer = block_on(async {
            match &self.data {
                Some(data) => ask_data(data, &self.sql, span.map(|span| span_of(data, span)).transpose()?).await,
                // It knows the time of its plant.
                None => Client::new(&self.url)?.sql_over(&self.sql, span).await,
            }
        })??;
        let mut out = std::io::stdout().lock();
        let printed = match self.output {
            Output::Table => print_table(&mut out, &answer),
            Output::Csv => print_csv(&mut out, &answer),
            Output::Json => print_json(&mut out, &answer),
        };
        match printed {
            // `andon query … | head` is no error.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            printed => printed?,
        }
        if answer.truncated {
            eprintln!("… and more: only the first {} rows are shown; add a LIMIT or a WHERE", answer.rows.len());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The span that is meant in a data folder or a bucket.
fn span_of(data: &Data, (from, to): (&str, &str)) -> anyhow::Result<Window> {
    let read = |text: &str| match data {
        Data::Folder(folder) => moment::of_folder(text, folder),
        Data::Bucket(_) => moment::absolute(text),
    };
    let (start, end) = (read(from)?, read(to)?);
    anyhow::ensure!(start < end, "--from {start} must lie before --to {end}");
    Ok(Window { start, end })
}

async fn ask_data(data: &Data, sql: &str, span: Option<Window>) -> anyhow::Result<SqlAnswer> {
    match data {
        Data::Folder(folder) => {
            let opened = Historian::open_read_only(folder).await;
            let historian = opened.with_context(|| format!("cannot read {}", folder.display()))?;
            Ok(historian.sql_over(sql, span, SqlLimits::default()).await?)
        }
        Data::Bucket(url) => {
            let spool = tempfile::tempdir()?;
            let historian = Historian::open_bucket(url, spool.path()).await.with_context(|| format!("cannot read {url}"))?;
            Ok(historian.sql_over(sql, span, SqlLimits::default()).await?)
        }
    }
}

fn print_table(out: &mut impl Write, answer: &SqlAnswer) -> std::io::Result<()> {
    let header: Vec<String> = answer.columns.iter().map(|column| column.name.clone()).collect();
    let rows: Vec<Vec<String>> = answer.rows.iter().map(|row| row.iter().map(text).collect()).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let numeric: Vec<bool> = (0..header.len()).map(|column| is_numeric(answer, column)).collect();
    let mut line = |cells: &[String]| {
        let mut text = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            let (before, after) = if numeric[column] { (pad.as_str(), "") } else { ("", pad.as_str()) };
            text.push_str(&format!("{}{before}{cell}{after}", if column == 0 { "" } else { "  " }));
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(&header)?;
    line(&widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>())?;
    rows.iter().try_for_each(|row| line(row))?;
    writeln!(out, "({} {})", rows.len(), if rows.len() == 1 { "row" } else { "rows" })
}

fn is_numeric(answer: &SqlAnswer, column: usize) -> bool {
    answer.rows.iter().map(|row| &row[column]).all(|cell| cell.is_number() || cell.is_null())
}

fn print_csv(out: &mut impl Write, answer: &SqlAnswer) -> std::io::Result<()> {
    let quote = |cell: String| {
        let quoted = cell.contains([',', '"', '\n', '\r']);
        if quoted { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
    };
    let mut line = |cells: Vec<String>| writeln!(out, "{}", cells.into_iter().map(quote).collect::<Vec<_>>().join(","));
    line(answer.columns.iter().map(|column| column.name.clone()).collect())?;
    answer
        .rows
        .iter()
        .try_for_each(|row| line(row.iter().map(|cell| if cell.is_null() { String::new() } else { text(cell) }).collect()))
}

/// One array of objects, an object per line.
fn print_json(out: &mut impl Write, answer: &SqlAnswer) -> std::io::Result<()> {
    write!(out, "[")?;
    for (index, row) in answer.rows.iter().enumerate() {
        let names = answer.columns.iter().map(|column| column.name.clone());
        let object: serde_json::Map<String, Value> = names.zip(row.iter().cloned()).collect();
        write!(out, "{}{}", if index == 0 { "" } else { ",\n " }, Value::Object(object))?;
    }
    writeln!(out, "]")
}

fn text(cell: &Value) -> String {
    match cell {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
