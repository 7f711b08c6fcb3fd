//! Refuses statements whose plan would be too deep or too large, before anything is planned: planning cannot be interrupted, and
//! its depth and memory follow the statement, not the data.

use crate::QueryError;
use datafusion::sql::sqlparser::{
    dialect::GenericDialect,
    keywords::Keyword,
    tokenizer::{Token, Tokenizer},
};

/// Longest statement: ten times what a person writes.
const MAX_STATEMENT: usize = 100_000;
/// Words and signs of a statement: several times what a person writes. A chain of so many operators still fits the stack that
/// the binary gives its threads.
const MAX_TOKENS: usize = 2_000;
/// Named parts (`name AS (…)`) of a statement. Each may use the one before twice, so the plan may double with every one.
const MAX_NAMED_PARTS: usize = 10;

/// Checks the size of a statement.
///
/// # Errors
/// Says which limit it passes.
pub fn check_size(sql: &str) -> Result<(), QueryError> {
    let too_large = |what: String| Err(QueryError::Statement(format!("a statement has at most {what}; split it into several")));
    if sql.len() > MAX_STATEMENT {
        return too_large(format!("{MAX_STATEMENT} characters"));
    }
    // What is no SQL at all is explained by the parser.
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else { return Ok(()) };
    let tokens: Vec<_> = tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect();
    if tokens.len() > MAX_TOKENS {
        return too_large(format!("{MAX_TOKENS} words and signs"));
    }
    let is_as = |token: &Token| matches!(token, Token::Word(word) if word.keyword == Keyword::AS);
    let is_open = |token: &Token| {
        matches!(token, Token::LParen)
            || matches!(token, Token::Word(word) if matches!(word.keyword, Keyword::MATERIALIZED | Keyword::NOT))
    };
    if tokens.windows(2).filter(|pair| is_as(&pair[0]) && is_open(&pair[1])).count() > MAX_NAMED_PARTS {
        return too_large(format!("{MAX_NAMED_PARTS} named parts (`name AS (…)`)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_fits_and_what_would_blow_up_does_not() {
        let series = (0..800).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        assert!(check_size(&format!("SELECT * FROM samples WHERE series IN ({series})")).is_ok());
        assert!(check_size("not 'SQL").is_ok());
        assert!(check_size(&format!("SELECT {}", vec!["1"; 1_200].join("+"))).is_err());
        let parts: String =
            (1..60).map(|n| format!(", t{n} AS (SELECT * FROM t{0} UNION ALL SELECT * FROM t{0})", n - 1)).collect();
        assert!(check_size(&format!("WITH t0 AS (SELECT 1){parts} SELECT * FROM t59")).is_err());
        assert!(check_size(&" ".repeat(MAX_STATEMENT + 1)).is_err());
    }
}
