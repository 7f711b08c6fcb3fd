//! PostgreSQL's ways of saying things, said so that the engine understands: what clients write to look into the catalogue. A
//! statement that uses none of it stays as it is.

use super::{
    catalog::{EMPTY, is_catalog_table},
    types::Type,
};
use crate::sql::syntax::{call, text};
use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, ObjectName, ObjectNamePart,
    Query, SelectItem, SetExpr, Statement, TableFactor, Value, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut,
    visit_relations_mut,
};
use std::{collections::BTreeMap, ops::ControlFlow};

/// The catalogue of PostgreSQL, which names need not mention.
const CATALOG: &str = "pg_catalog";

/// Says a statement in the engine's words.
pub fn rewrite(statement: &mut Statement) {
    tell_apart(statement);
    let _: ControlFlow<()> = visit_relations_mut(statement, |relation| {
        qualify(relation);
        ControlFlow::Continue(())
    });
    let _: ControlFlow<()> = visit_expressions_mut(statement, |expression| {
        replace(expression);
        ControlFlow::Continue(())
    });
    let _: ControlFlow<()> = statement.visit(&mut Emptied);
    // What was replaced may be the same now.
    tell_apart(statement);
}

/// Says of what reads a table without rows that it has none, so that the engine need not plan it.
struct Emptied;

impl VisitorMut for Emptied {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        empty(&mut query.body);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } = table
            && is_of_catalog(name)
        {
            name.0.remove(0);
        }
        ControlFlow::Continue(())
    }
}

fn empty(body: &mut SetExpr) {
    match body {
        SetExpr::SetOperation { left, right, .. } => {
            empty(left);
            empty(right);
        }
        SetExpr::Select(select) if reads_empty(select) => {
            select.selection = Some(truth(false));
            let _: ControlFlow<()> = visit_expressions_mut(&mut select.projection, |expression| {
                if matches!(expression, Expr::Subquery(_) | Expr::Exists { .. }) {
                    *expression = null();
                }
                ControlFlow::Continue(())
            });
        }
        _ => {}
    }
}

/// Columns may have the same name, except for the engine: what is said twice gets a mark behind its name, which [`named`] takes
/// away again.
fn tell_apart(statement: &mut Statement) {
    let Statement::Query(query) = statement else { return };
    tell_columns_apart(&mut query.body);
}

fn tell_columns_apart(body: &mut SetExpr) {
    let select = match body {
        SetExpr::Select(select) => select,
        SetExpr::SetOperation { left, right, .. } => {
            tell_columns_apart(left);
            return tell_columns_apart(right);
        }
        _ => return,
    };
    let is_all = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..));
    let all = select.projection.iter().any(is_all);
    let said: Vec<String> = select.projection.iter().map(ToString::to_string).collect();
    for (index, item) in select.projection.iter_mut().enumerate() {
        let SelectItem::UnnamedExpr(value) = item else { continue };
        let column = matches!(value, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
        if !(all && column || said[..index].contains(&said[index])) {
            continue;
        }
        let name = match &*value {
            Expr::Identifier(name) => name.value.clone(),
            Expr::CompoundIdentifier(names) => names.last().map_or_else(String::new, |name| name.value.clone()),
            other => call_name(other).unwrap_or_else(|| "?column?".into()),
        };
        let alias = Ident::with_quote('"', format!("{name}{MARK}{index}"));
        *item = SelectItem::ExprWithAlias { expr: take(value), alias };
    }
}

/// Between a name and what tells it apart; no name has it.
const MARK: char = '\u{1}';

/// The name of a column as its statement says it.
pub fn named(name: &str) -> &str {
    name.split(MARK).next().unwrap_or(name)
}

/// `pg_class` is found without its schema; a database before the schema can only be this one.
fn qualify(relation: &mut ObjectName) {
    if relation.0.len() == 1 && last(relation).is_some_and(|name| is_catalog_table(&name)) {
        relation.0.insert(0, ObjectNamePart::Identifier(Ident::new(CATALOG)));
    }
}

fn last(name: &ObjectName) -> Option<String> {
    Some(name.0.last()?.as_ident()?.value.to_lowercase())
}

fn is_of_catalog(name: &ObjectName) -> bool {
    name.0.len() == 2 && name.0[0].as_ident().is_some_and(|schema| schema.value.eq_ignore_ascii_case(CATALOG))
}

fn replace(expression: &mut Expr) {
    if let Some(replaced) = replacement(expression) {
        *expression = replaced;
    }
}

fn replacement(expression: &mut Expr) -> Option<Expr> {
    match expression {
        Expr::Function(function) => {
            if is_of_catalog(&function.name) {
                function.name.0.remove(0);
            }
            let name = last(&function.name)?;
            let bare = matches!(function.args, FunctionArguments::None);
            match name.as_str() {
                "current_user" | "session_user" | "user" | "current_role" | "current_catalog" | "current_schema" if bare => {
                    Some(call(&name, Vec::new()))
                }
                "array" if matches!(&function.args, FunctionArguments::Subquery(query) if asks_catalog(query)) => Some(null()),
                "array_to_string" if first_argument(expression) == Some(null()) => Some(null()),
                "current_schemas" => Some(call("make_array", vec![text("pg_catalog"), text("plant")])),
                // The catalogue's lists are always empty.
                "generate_subscripts" if first_argument(expression).as_ref().is_some_and(is_column) => {
                    Some(Expr::Value(Value::Number("1".into(), false).into()))
                }
                "parse_ident" => Some(call("string_to_array", vec![first_argument(expression)?, text(".")])),
                "array_upper" => Some(call("array_length", vec![first_argument(expression)?])),
                _ => None,
            }
        }
        Expr::Identifier(name) if name.quote_style.is_none() => {
            let name = name.value.to_lowercase();
            let known = ["current_user", "session_user", "user", "current_role", "current_catalog"].contains(&name.as_str());
            known.then(|| call(&name, Vec::new()))
        }
        Expr::Collate { expr, .. } => Some(take(expr)),
        Expr::BinaryOp { op, .. } => {
            if let BinaryOperator::PGCustomBinaryOperator(name) = op {
                *op = operator(name.last()?)?;
            }
            None
        }
        Expr::Cast { .. } => cast(expression),
        Expr::Subquery(query) if asks_empty(query) && !counts(query) => Some(null()),
        Expr::Subquery(query) => {
            one_row(query);
            None
        }
        Expr::Exists { subquery, negated } if asks_empty(subquery) => Some(truth(*negated)),
        // The path of schemas is looked up with functions as tables; there is one.
        Expr::InSubquery { expr, subquery, negated } if subquery.to_string().contains("current_setting('search_path')") => {
            let list = vec![text("plant")];
            Some(Expr::InList { expr: Box::new(take(expr)), list, negated: *negated })
        }
        // The engine knows one sign of escape.
        Expr::Like { escape_char, pattern, .. } | Expr::ILike { escape_char, pattern, .. } => {
            let sign = escape_char.take()?;
            if sign.to_string() != "'\\'" {
                **pattern = call("replace", vec![take(pattern), Expr::Value(sign), text("\\")]);
            }
            None
        }
        Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
            let found = call("array_has", vec![take(right), take(left)]);
            Some(Expr::UnaryOp { op: ast::UnaryOperator::Not, expr: Box::new(found) })
        }
        _ => None,
    }
}

/// Casts to types that only the catalogue has.
fn cast(expression: &mut Expr) -> Option<Expr> {
    let Expr::Cast { expr, data_type, .. } = expression else { return None };
    if matches!(data_type, DataType::Regclass) {
        return Some(call("to_regclass", vec![take(expr)]));
    }
    if let DataType::Array(ast::ArrayElemTypeDef::SquareBracket(item, _)) = data_type
        && let DataType::Custom(name, _) = &**item
    {
        **item = plain_type(&last(name)?);
        return None;
    }
    let DataType::Custom(name, _) = data_type else {
        // A number that names something, as text.
        let inner = call_name(expr)?;
        let to_text = matches!(data_type, DataType::Text | DataType::Varchar(_));
        let spelled = match inner.as_str() {
            "to_regclass" => "pg_regclass_name",
            "to_regtype" => "pg_regtype_name",
            "to_regnamespace" => "pg_regnamespace_name",
            _ => return None,
        };
        let argument = first_argument(expr)?;
        return to_text.then(|| call(spelled, vec![argument]));
    };
    let name = last(name)?;
    match name.as_str() {
        "regclass" => return Some(call("to_regclass", vec![take(expr)])),
        "regtype" => return Some(call("to_regtype", vec![take(expr)])),
        "regnamespace" => return Some(call("to_regnamespace", vec![take(expr)])),
        "text" if call_name(expr).is_some() => {
            *data_type = DataType::Text;
            return cast(expression);
        }
        name => *data_type = plain_type(name),
    }
    None
}

/// Types of the catalogue that the engine has; the others are texts.
fn plain_type(name: &str) -> DataType {
    match name {
        "oid" | "xid" | "int4" | "cid" => DataType::Int(None),
        "int2" => DataType::SmallInt(None),
        "int8" => DataType::BigInt(None),
        "bool" => DataType::Boolean,
        "float8" => DataType::Double(ast::ExactNumberInfo::None),
        "float4" => DataType::Real,
        "timestamptz" => DataType::Timestamp(None, ast::TimezoneInfo::Tz),
        "timestamp" => DataType::Timestamp(None, ast::TimezoneInfo::None),
        _ => DataType::Text,
    }
}

fn call_name(expression: &Expr) -> Option<String> {
    if let Expr::Function(function) = expression { last(&function.name) } else { None }
}

fn first_argument(expression: &Expr) -> Option<Expr> {
    let Expr::Function(function) = expression else { return None };
    let FunctionArguments::List(list) = &function.args else { return None };
    match list.args.first()? {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) => Some(argument.clone()),
        _ => None,
    }
}

/// Whether a subquery reads a table of the catalogue that has no rows here, so that it has none either.
fn asks_empty(query: &Query) -> bool {
    matches!(&*query.body, SetExpr::Select(select) if reads_empty(select))
}

/// Whether a subquery reads the catalogue and nothing else.
fn asks_catalog(query: &Query) -> bool {
    let SetExpr::Select(select) = &*query.body else { return false };
    // A function's rows are those of a list of the catalogue.
    let of_catalog = |table: &TableFactor| match table {
        TableFactor::Table { name, args: None, .. } => {
            is_of_catalog(name) || last(name).is_some_and(|name| is_catalog_table(&name))
        }
        _ => true,
    };
    select.from.iter().all(|from| of_catalog(&from.relation) && from.joins.iter().all(|join| of_catalog(&join.relation)))
}

/// Whether it answers a number even if there are no rows.
fn counts(query: &Query) -> bool {
    let SetExpr::Select(select) = &*query.body else { return false };
    select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. } => {
            call_name(value).as_deref() == Some("count")
        }
        _ => false,
    })
}

fn is_column(expression: &Expr) -> bool {
    matches!(expression, Expr::Identifier(_) | Expr::CompoundIdentifier(_))
}

fn reads_empty(select: &ast::Select) -> bool {
    select.from.iter().any(|from| {
        let joined = from.joins.iter().filter(|join| {
            use ast::JoinOperator::{CrossJoin, Inner, Join};
            matches!(join.join_operator, Inner(_) | Join(_) | CrossJoin(_))
        });
        [&from.relation].into_iter().chain(joined.map(|join| &join.relation)).any(|table| match table {
            TableFactor::Table { name, args: None, .. } => {
                last(name).is_some_and(|name| EMPTY.iter().any(|(empty, _)| *empty == name))
            }
            _ => false,
        })
    })
}

/// A subquery for one value that looks something up in the catalogue by its number finds one row; the engine wants to see that.
fn one_row(query: &mut Query) {
    let bounded = query.limit_clause.is_some() || query.fetch.is_some();
    let SetExpr::Select(select) = &mut *query.body else { return };
    let of_catalog = select.from.iter().all(|from| match &from.relation {
        TableFactor::Table { name, .. } => is_of_catalog(name),
        _ => false,
    });
    let grouped = !matches!(&select.group_by, ast::GroupByExpr::Expressions(by, _) if by.is_empty());
    if bounded || grouped || !of_catalog || select.from.is_empty() || select.selection.is_none() {
        return;
    }
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] = &mut select.projection[..] else {
        return;
    };
    let aggregated = ["max", "min", "count", "array_agg", "string_agg", "bool_or", "bool_and", "sum"];
    if !call_name(value).is_some_and(|name| aggregated.contains(&name.as_str())) {
        *value = call("max", vec![take(value)]);
    }
}

fn operator(name: &str) -> Option<BinaryOperator> {
    Some(match name {
        "~" => BinaryOperator::PGRegexMatch,
        "~*" => BinaryOperator::PGRegexIMatch,
        "!~" => BinaryOperator::PGRegexNotMatch,
        "!~*" => BinaryOperator::PGRegexNotIMatch,
        "~~" => BinaryOperator::PGLikeMatch,
        "=" => BinaryOperator::Eq,
        "<>" => BinaryOperator::NotEq,
        "<" => BinaryOperator::Lt,
        ">" => BinaryOperator::Gt,
        "<=" => BinaryOperator::LtEq,
        ">=" => BinaryOperator::GtEq,
        "+" => BinaryOperator::Plus,
        "-" => BinaryOperator::Minus,
        "||" => BinaryOperator::StringConcat,
        _ => return None,
    })
}

/// Types of parameters that a statement itself says: `$1::int`, `= ANY($2)`.
pub fn said_types(statement: &Statement) -> BTreeMap<usize, Type> {
    let mut types = BTreeMap::new();
    let number = |expression: &Expr| match expression {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse::<usize>().ok(),
            _ => None,
        },
        _ => None,
    };
    let _: ControlFlow<()> = visit_expressions(statement, |expression| {
        let said = match expression {
            Expr::Cast { expr, data_type, .. } => number(expr).zip(type_of(data_type)),
            Expr::AnyOp { right, .. } => number(right).map(|number| (number, Type::TEXT_ARRAY)),
            _ => None,
        };
        types.extend(said);
        ControlFlow::Continue(())
    });
    types
}

fn type_of(data_type: &DataType) -> Option<Type> {
    Some(match data_type {
        DataType::Boolean | DataType::Bool => Type::BOOL,
        DataType::SmallInt(_) | DataType::Int2(_) => Type::INT2,
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) => Type::INT4,
        DataType::BigInt(_) | DataType::Int8(_) => Type::INT8,
        DataType::Real | DataType::Float4 => Type::FLOAT4,
        DataType::Double(_) | DataType::DoublePrecision | DataType::Float8 => Type::FLOAT8,
        DataType::Timestamp(_, ast::TimezoneInfo::Tz | ast::TimezoneInfo::WithTimeZone) => Type::TIMESTAMPTZ,
        DataType::Timestamp(..) => Type::TIMESTAMP,
        DataType::Date => Type::DATE,
        DataType::Text | DataType::Varchar(_) | DataType::CharacterVarying(_) => Type::TEXT,
        DataType::Array(_) => Type::TEXT_ARRAY,
        _ => return None,
    })
}

fn take(expression: &mut Expr) -> Expr {
    std::mem::replace(expression, null())
}

fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

fn truth(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}
