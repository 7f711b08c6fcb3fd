//! What a client asks for: the text of its statements cut apart, told apart, and read for the engine.

use super::{
    failure::{Failure, code},
    rewrite::rewrite,
};
use crate::sql::check_size;
use datafusion::sql::sqlparser::{ast, dialect::PostgreSqlDialect, parser::Parser};

/// Depth of brackets and subqueries that is read: what a person writes, several times.
const MAX_DEPTH: usize = 50;
/// Statements in one message.
const MAX_STATEMENTS: usize = 100;

/// One statement.
#[derive(Clone, Debug)]
pub enum Command {
    /// Nothing but spaces.
    Empty,
    /// Answers rows.
    Query(Box<ast::Statement>),
    /// Transactions change nothing here, but clients insist on them. The tag that is answered.
    Begin,
    Commit,
    Rollback,
    /// Back to a savepoint: the transaction goes on.
    RollbackTo,
    Savepoint(&'static str),
    Set {
        name: String,
        value: Option<String>,
        /// Until the transaction ends.
        local: bool,
    },
    ResetAll(&'static str),
    Show(String),
    /// What has no effect here; the tag that is answered.
    Nothing(&'static str),
    Deallocate(Option<String>),
    Declare {
        cursor: String,
        query: Box<ast::Statement>,
    },
    Fetch {
        cursor: String,
        rows: usize,
    },
    CloseCursor(Option<String>),
}

/// Cuts a text at its semicolons, which may also stand in quotes and comments.
pub fn split(text: &str) -> Result<Vec<&str>, Failure> {
    let (bytes, mut parts, mut start, mut at) = (text.as_bytes(), Vec::new(), 0, 0);
    while at < bytes.len() {
        at = match bytes[at] {
            b';' => {
                parts.push(&text[start..at]);
                if parts.len() >= MAX_STATEMENTS {
                    return Err(Failure::new(code::TOO_LARGE, format!("at most {MAX_STATEMENTS} statements at once")));
                }
                start = at + 1;
                at + 1
            }
            quote @ (b'\'' | b'"') => end_of_quote(bytes, at + 1, quote, quote == b'\'' && has_escapes(&bytes[..at])),
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                bytes[at..].iter().position(|b| *b == b'\n').map_or(bytes.len(), |end| at + end)
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => text[at + 2..].find("*/").map_or(bytes.len(), |end| at + 2 + end + 2),
            b'$' => dollar_quote(text, at).unwrap_or(at + 1),
            _ => at + 1,
        };
    }
    parts.push(&text[start..]);
    Ok(parts)
}

/// Whether the quote that follows these bytes is one with escapes, `E'…'`: an E that is no end of a word.
fn has_escapes(before: &[u8]) -> bool {
    let of_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii();
    matches!(before, [rest @ .., b'e' | b'E'] if !rest.last().is_some_and(of_word))
}

fn end_of_quote(bytes: &[u8], mut at: usize, quote: u8, escapes: bool) -> usize {
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if escapes => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of `$tag$ … $tag$`, if one begins here.
fn dollar_quote(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at + 1..];
    let tag = &rest[..rest.find('$')?];
    if tag.starts_with(|c: char| c.is_ascii_digit()) || !tag.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let mark = &text[at..at + tag.len() + 2];
    let body = at + mark.len();
    Some(text[body..].find(mark).map_or(text.len(), |end| body + end + mark.len()))
}

/// A statement without the comments and spaces around it that come before its first word.
fn uncommented(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        text = match text {
            _ if text.starts_with("--") => text.find('\n').map_or("", |end| &text[end..]),
            _ if text.starts_with("/*") => text.find("*/").map_or("", |end| &text[end + 2..]),
            _ => return text,
        }
        .trim_start();
    }
}

/// The first few words of a statement, in capitals.
fn words(text: &str) -> Vec<String> {
    let split = text.split(|c: char| c.is_whitespace() || c == '(' || c == '=' || c == ';').filter(|word| !word.is_empty());
    let words: Vec<String> = split.take(6).map(str::to_ascii_uppercase).collect();
    if words.is_empty() && !text.is_empty() { vec![text.to_owned()] } else { words }
}

/// What follows a word, if a text begins with it.
fn after<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let rest = text.get(word.len()..)?;
    let ends = rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == '=');
    (ends && text[..word.len()].eq_ignore_ascii_case(word)).then(|| rest.trim_start())
}

/// Reads one statement.
///
/// # Errors
/// When it is no SQL, or would change something.
pub fn read(text: &str) -> Result<Command, Failure> {
    let text = uncommented(text);
    let words = words(text);
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    Ok(match word(0) {
        "" => Command::Empty,
        "BEGIN" | "START" => Command::Begin,
        "COMMIT" | "END" => Command::Commit,
        "ROLLBACK" | "ABORT" if words.iter().any(|word| word == "TO") => Command::RollbackTo,
        "ROLLBACK" | "ABORT" => Command::Rollback,
        "SAVEPOINT" => Command::Savepoint("SAVEPOINT"),
        "RELEASE" => Command::Savepoint("RELEASE"),
        "SET" => set(text)?,
        "RESET" | "DISCARD" if word(1) == "ALL" => Command::ResetAll(if word(0) == "RESET" { "RESET" } else { "DISCARD ALL" }),
        "RESET" => Command::Set { name: name(word(1)), value: None, local: false },
        "DISCARD" => Command::Nothing("DISCARD"),
        "SHOW" if ["TABLES", "COLUMNS", "FUNCTIONS"].contains(&word(1)) => Command::Query(parse(text)?),
        "SHOW" => Command::Show(show(&words)),
        "LISTEN" | "UNLISTEN" | "NOTIFY" => Command::Nothing("UNLISTEN"),
        "DEALLOCATE" => {
            let what = text.split_whitespace().last().unwrap_or_default();
            Command::Deallocate((!what.eq_ignore_ascii_case("ALL")).then(|| name(what)))
        }
        "DECLARE" => declare(text)?,
        "FETCH" => fetch(text)?,
        "CLOSE" => Command::CloseCursor((word(1) != "ALL").then(|| name(text[5..].trim()))),
        "SELECT" | "WITH" | "VALUES" | "TABLE" | "EXPLAIN" | "DESCRIBE" | "DESC" => Command::Query(parse(text)?),
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "CREATE" | "DROP" | "ALTER" | "TRUNCATE" | "COPY" | "GRANT" | "REVOKE"
        | "COMMENT" | "VACUUM" | "ANALYZE" | "REINDEX" | "CLUSTER" | "LOCK" | "CALL" | "DO" | "LOAD" | "SECURITY"
        | "REFRESH" | "IMPORT" | "PREPARE" | "EXECUTE" | "CHECKPOINT" | "REASSIGN" | "UNLOAD" | "INSTALL" | "ATTACH"
        | "MOVE" => {
            return Err(refused(word(0)));
        }
        _ => Command::Query(parse(text)?),
    })
}

fn refused(what: &str) -> Failure {
    let message = format!(
        "cannot execute {what} in a read-only transaction: SQL here only reads. Use SELECT; history changes only through sources, \
         the API and the plant file"
    );
    Failure::new(code::READ_ONLY, message)
}

fn parse(text: &str) -> Result<Box<ast::Statement>, Failure> {
    check_size(text)?;
    let dialect = PostgreSqlDialect {};
    let parsed =
        Parser::new(&dialect).with_recursion_limit(MAX_DEPTH).try_with_sql(text).and_then(|mut p| p.parse_statements());
    let mut parsed = parsed.map_err(|error| Failure::new(code::SYNTAX, error.to_string().replace("sql parser error: ", "")))?;
    let mut statement = match (parsed.pop(), parsed.is_empty()) {
        (Some(statement), true) => statement,
        _ => return Err(Failure::new(code::SYNTAX, "one statement is expected here")),
    };
    if let ast::Statement::Query(query) = &statement {
        use ast::SetExpr::{Delete, Insert, Merge, Update};
        if matches!(&*query.body, Insert(_) | Update(_) | Delete(_) | Merge(_)) {
            return Err(refused("INSERT, UPDATE or DELETE"));
        }
    }
    rewrite(&mut statement);
    Ok(Box::new(statement))
}

/// A name as it is meant: in lower case, if it is not quoted.
fn name(text: &str) -> String {
    let text = text.trim().trim_end_matches(';').trim();
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => text.to_lowercase(),
    }
}

fn set(text: &str) -> Result<Command, Failure> {
    let rest = after(text, "set").unwrap_or_default();
    let (local, rest) = match after(rest, "local") {
        Some(rest) => (true, rest),
        // `SET SESSION CHARACTERISTICS …`, and `SET SESSION AUTHORIZATION`, begin alike.
        None => (false, after(rest, "session").unwrap_or(rest)),
    };
    if after(rest, "transaction").is_some() || after(rest, "characteristics").is_some() {
        if rest.to_ascii_lowercase().contains("read write") {
            return Err(Failure::new(code::READ_ONLY, "SQL here only reads: a transaction cannot be set to write"));
        }
        return Ok(Command::Nothing("SET"));
    }
    if after(rest, "authorization").is_some() || after(rest, "role").is_some() {
        return Ok(Command::Nothing("SET"));
    }
    if let Some(zone) = after(rest, "time").and_then(|rest| after(rest, "zone")) {
        return Ok(Command::Set { name: "timezone".into(), value: Some(unquote(zone)), local });
    }
    if let Some(encoding) = after(rest, "names") {
        return Ok(Command::Set { name: "client_encoding".into(), value: Some(unquote(encoding)), local });
    }
    let syntax = || Failure::new(code::SYNTAX, "SET wants a name and a value: SET name = value");
    let at = rest.find(|c: char| c.is_whitespace() || c == '=').ok_or_else(syntax)?;
    let value = rest[at..].trim_start();
    let value = value.strip_prefix('=').or_else(|| after(value, "to")).ok_or_else(syntax)?;
    let value = (!value.trim().eq_ignore_ascii_case("default")).then(|| unquote(value));
    Ok(Command::Set { name: name(&rest[..at]), value, local })
}

fn unquote(text: &str) -> String {
    let text = text.trim();
    match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
        Some(quoted) if !quoted.contains("', '") => quoted.replace("''", "'"),
        _ => text.to_owned(),
    }
}

fn show(words: &[String]) -> String {
    let rest: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    match rest.as_slice() {
        ["TIME", "ZONE", ..] => "timezone".into(),
        ["TRANSACTION", "ISOLATION", ..] => "transaction_isolation".into(),
        ["SESSION", "AUTHORIZATION", ..] => "session_authorization".into(),
        [first, ..] => name(first),
        [] => String::new(),
    }
}

fn declare(text: &str) -> Result<Command, Failure> {
    let syntax = || Failure::new(code::SYNTAX, "write DECLARE name CURSOR FOR SELECT …");
    let rest = text[7..].trim();
    let cursor = rest.split_whitespace().next().ok_or_else(syntax)?;
    let ends_word = |at: usize| rest[at..].starts_with(char::is_whitespace);
    let is_for = |at: usize| rest.get(at..at + 3).is_some_and(|word| word.eq_ignore_ascii_case("for"));
    let mut starts = rest.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, c)| at + c.len_utf8());
    let at = starts.find(|at| is_for(*at) && ends_word(at + 3)).ok_or_else(syntax)?;
    if rest[..at].to_uppercase().contains("WITH HOLD") {
        return Err(Failure::new(code::NOT_SUPPORTED, "a cursor lives as long as its transaction; leave out WITH HOLD"));
    }
    Ok(Command::Declare { cursor: name(cursor), query: parse(&rest[at + 3..])? })
}

fn fetch(text: &str) -> Result<Command, Failure> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let cursor = name(words.last().copied().unwrap_or_default());
    let mut rows = Some(1);
    for word in words.iter().skip(1).take(words.len().saturating_sub(2)) {
        rows = match word.to_uppercase().as_str() {
            "FORWARD" | "FROM" | "IN" | "NEXT" => rows,
            "ALL" => Some(0),
            count => count.parse().ok().filter(|count| *count > 0),
        };
    }
    match rows {
        Some(rows) => Ok(Command::Fetch { cursor, rows }),
        None => Err(Failure::new(code::NOT_SUPPORTED, "a cursor only goes forward: FETCH FORWARD 100 FROM name")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_cut_where_they_end() {
        let parts = |text| split(text).unwrap();
        assert_eq!(parts("a; b"), ["a", " b"]);
        assert_eq!(
            parts("SELECT ';', \";\" -- ;\n; $$;$$, $x$;$x$ /* ; */; E'\\';'"),
            ["SELECT ';', \";\" -- ;\n", " $$;$$, $x$;$x$ /* ; */", " E'\\';'"]
        );
        assert_eq!(parts("SELECT a LIKE'%\\'; SELECT 2"), ["SELECT a LIKE'%\\'", " SELECT 2"], "no quote with escapes");
        for text in ["'", "\"", "/*", "$$", "$", "$a$ $b$", "--", "E'\\", "ä;ö", "SET İİİİİİİİİİ to ab", "ſet a = b", "SET"]
        {
            split(text).unwrap();
            let _ = read(text);
        }
        assert!(split(&";".repeat(MAX_STATEMENTS)).is_err());
    }

    #[test]
    fn statements_are_told_apart() {
        let code = |text| read(text).unwrap_err().code;
        for text in [
            "INSERT INTO a VALUES (1)",
            "/* x */ drop table a",
            "COPY (SELECT 1) TO '/tmp/x'",
            "copy a from stdin",
            "-- c\nDELETE FROM a",
        ] {
            assert_eq!(code(text), code::READ_ONLY, "{text}");
        }
        assert_eq!(code("SELEC 1"), code::SYNTAX);
        assert_eq!(code("SET TRANSACTION READ WRITE"), code::READ_ONLY);
        assert!(matches!(read("(SELECT 1)").unwrap(), Command::Query(_)));
        assert!(matches!(read(" -- nothing").unwrap(), Command::Empty));
        assert!(
            matches!(read("SET search_path TO a, b").unwrap(), Command::Set { name, value: Some(value), .. } if name == "search_path" && value == "a, b")
        );
        assert!(matches!(read("set datestyle='ISO'").unwrap(), Command::Set { value: Some(value), .. } if value == "ISO"));
        assert!(
            matches!(read("DECLARE c NO SCROLL CURSOR FOR\nSELECT 1").unwrap(), Command::Declare { cursor, .. } if cursor == "c")
        );
        for comment in ["/* c */ ", "/*é*/", "--ü\n", "-- a\n /* b */ "] {
            let timeout = read(&format!("{comment}SET statement_timeout = 1000")).unwrap();
            assert!(
                matches!(timeout, Command::Set { name, value: Some(value), .. } if name == "statement_timeout" && value == "1000")
            );
            assert!(matches!(read(&format!("{comment}CLOSE ALL")).unwrap(), Command::CloseCursor(None)));
        }
        assert!(matches!(read("set local work_mem\tto '1'").unwrap(), Command::Set { local: true, .. }));
        assert!(matches!(read("SET SESSION AUTHORIZATION bob").unwrap(), Command::Nothing("SET")));
        assert!(matches!(read("FETCH FORWARD 100 FROM \"C\"").unwrap(), Command::Fetch { cursor, rows: 100 } if cursor == "C"));
        assert!(
            matches!(read("SHOW TRANSACTION ISOLATION LEVEL").unwrap(), Command::Show(name) if name == "transaction_isolation")
        );
    }
}
