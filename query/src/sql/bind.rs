//! Parameters of a statement: `$from` and `$to`, the span of time it is about. They are bound in the parsed statement, as values with a type:
//! so they may stand wherever an instant may, also as arguments of tables, and no text of a caller becomes a part of the statement.

use super::{
    statement,
    syntax::{call, text},
    words,
};
use crate::QueryError;
use andon_models::{Timestamp, window::Window};
use datafusion::{
    execution::session_state::SessionState,
    logical_expr::LogicalPlan,
    prelude::SessionContext,
    sql::{
        parser::Statement,
        sqlparser::ast::{
            Expr, Ident, SelectItem, SetExpr, Statement as SqlStatement, Value, visit_expressions, visit_expressions_mut,
        },
    },
};
use std::ops::ControlFlow;

/// The names of the parameters.
const FROM: &str = "$from";
const TO: &str = "$to";
/// The type of times in the tables: compared with a column, a parameter decides which files are read at all.
const TYPE: &str = r#"Timestamp(Microsecond, Some("UTC"))"#;

/// Plans a statement over a span.
///
/// # Errors
/// When the statement is wrong, or has a parameter that nobody gave.
pub async fn plan(session: &SessionContext, sql: &str, span: Option<Window>) -> Result<LogicalPlan, QueryError> {
    let wrong = |error| statement(words::with_hint(session, error));
    let state = session.state();
    let parsed = parsed(&state, sql).map_err(wrong)?;
    let bound = bind(parsed, span)?;
    state.statement_to_plan(bound).await.map_err(wrong)
}

fn parsed(state: &SessionState, sql: &str) -> datafusion::error::Result<Statement> {
    state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)
}

fn bind(mut statement: Statement, span: Option<Window>) -> Result<Statement, QueryError> {
    match &mut statement {
        Statement::Statement(query) => {
            if let SqlStatement::Query(query) = query.as_mut() {
                name(&mut query.body);
            }
            let found = visit_expressions_mut(query.as_mut(), |expression| match bound(expression, span) {
                Ok(None) => ControlFlow::Continue(()),
                Ok(Some(value)) => {
                    *expression = value;
                    ControlFlow::Continue(())
                }
                Err(error) => ControlFlow::Break(error),
            });
            if let ControlFlow::Break(error) = found {
                return Err(error);
            }
        }
        Statement::Explain(explain) => {
            let inner = (*explain.statement).clone();
            *explain.statement = bind(inner, span)?;
        }
        _ => {}
    }
    Ok(statement)
}

/// Names the columns that are made of parameters as they are written: what is bound in their place is no name for a table.
fn name(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) = item
                    && visit_expressions(&*expr, |part| match part {
                        Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => ControlFlow::Break(()),
                        _ => ControlFlow::Continue(()),
                    })
                    .is_break()
                {
                    let alias = Ident::with_quote('"', expr.to_string());
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias };
                }
            }
        }
        SetExpr::SetOperation { left, .. } => name(left),
        SetExpr::Query(query) => name(&mut query.body),
        _ => {}
    }
}

/// What stands in the place of an expression, if it is a parameter.
fn bound(expression: &Expr, span: Option<Window>) -> Result<Option<Expr>, QueryError> {
    let Expr::Value(value) = expression else { return Ok(None) };
    let Value::Placeholder(name) = &value.value else { return Ok(None) };
    let refused = |words: String| QueryError::Statement(words);
    match (name.as_str(), span) {
        (FROM, Some(span)) => Ok(Some(instant(span.start))),
        (TO, Some(span)) => Ok(Some(instant(span.end))),
        (FROM | TO, None) => Err(refused(format!("the statement has {name}, and no span is given; give `from` and `to`"))),
        (name, _) => Err(refused(format!("there is no parameter {name}; there are {FROM} and {TO}"))),
    }
}

fn instant(time: Timestamp) -> Expr {
    call("arrow_cast", vec![text(&time.to_string()), text(TYPE)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sql: &str, span: Option<Window>) -> String {
        let session = SessionContext::new();
        let statement = parsed(&session.state(), sql).unwrap();
        bind(statement, span).map_or_else(|error| error.to_string(), |bound| bound.to_string())
    }

    fn span() -> Option<Window> {
        Some(Window { start: Timestamp::from_seconds(0), end: Timestamp::from_seconds(60) })
    }

    #[test]
    fn a_span_is_bound_wherever_an_instant_may_stand() {
        let from = r#"arrow_cast('1970-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))')"#;
        let to = from.replace("00:00:00Z", "00:01:00Z");
        let check = |sql: &str| {
            let expected = sql.replace("$from", from).replace("$to", &to);
            assert_eq!(told(sql, span()), expected, "{sql}");
        };
        check("SELECT a FROM t WHERE time > $from AND time <= $to");
        check("SELECT * FROM history('a', 'b', $from, $to)");
        check("SELECT x FROM (SELECT $to - INTERVAL '1 hour' AS x) AS t");
        check("SELECT 1");
        // In a text it is a text.
        assert_eq!(told("SELECT '$from'", span()), "SELECT '$from'");
    }

    #[test]
    fn a_column_of_parameters_is_named_as_it_is_written() {
        let from = r#"arrow_cast('1970-01-01T00:00:00Z', 'Timestamp(Microsecond, Some("UTC"))')"#;
        assert_eq!(told("EXPLAIN SELECT $from", span()), format!("EXPLAIN SELECT {from} AS \"$from\""));
        let said =
            told("SELECT a, $from - INTERVAL '1 hour', $from AS start FROM t UNION ALL SELECT $from, b, c FROM u", span());
        let expected = format!(
            "SELECT a, {from} - INTERVAL '1 hour' AS \"$from - INTERVAL '1 hour'\", {from} AS start FROM t \
             UNION ALL SELECT {from}, b, c FROM u"
        );
        assert_eq!(said, expected);
    }

    #[test]
    fn a_parameter_that_nobody_gave_is_named() {
        assert!(told("SELECT $from", None).contains("the statement has $from, and no span is given"));
        assert!(told("SELECT $since", span()).contains("there is no parameter $since; there are $from and $to"));
        assert!(told("SELECT $1", None).contains("there is no parameter $1"));
    }
}
