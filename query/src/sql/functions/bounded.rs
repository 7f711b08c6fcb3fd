//! Functions that may make much of little text. The engine's own would make gigabytes of a statement of one line, which no memory pool
//! sees; these end it in words.

use arrow::{array::AsArray, compute::cast, datatypes::DataType};
use datafusion::{
    common::{DFSchema, config::ConfigOptions, exec_err, plan_err, tree_node::Transformed},
    error::{DataFusionError, Result},
    logical_expr::{
        BinaryExpr, ColumnarValue, Expr, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
        Volatility, expr_rewriter::FunctionRewrite,
    },
    optimizer::analyzer::function_rewrite::ApplyFunctionRewrites,
    prelude::SessionContext,
};
use std::sync::Arc;

/// Bytes that one call may make for a batch of rows: 8 kB in each of a full batch.
const MAX_BYTES: u64 = 64 << 20;

/// How many bytes a function may make of its arguments, at most.
type Bound = fn(&Sizes) -> Result<u64>;

/// Those that put their arguments together make twice their sum at most.
const FUNCTIONS: [(&str, Bound); 14] = [
    ("replace", replaced),
    ("regexp_replace", replaced_by_pattern),
    ("concat", together),
    ("concat_ws", together),
    ("overlay", together),
    ("encode", together),
    ("make_array", together),
    ("array_append", together),
    ("array_prepend", together),
    ("array_concat", together),
    ("array_to_string", joined),
    ("array_union", together),
    ("struct", together),
    ("named_struct", together),
];

/// Bounds the functions of all statements of a session, also those that are written as operators and with words.
pub fn register(session: &SessionContext) {
    // A rule of its own: sessions made from this one keep its rules, but not its function rewrites.
    session.add_analyzer_rule(Arc::new(ApplyFunctionRewrites::new(vec![Arc::new(BoundTexts)])));
}

/// The arguments of a call.
struct Sizes<'a> {
    arguments: &'a [ColumnarValue],
    rows: usize,
}

impl Sizes<'_> {
    /// Bytes of the texts of an argument, row by row; one for all if it is a constant.
    fn texts(&self, index: usize) -> Result<Vec<u64>> {
        let array = match self.arguments.get(index) {
            Some(ColumnarValue::Array(array)) => array.clone(),
            Some(ColumnarValue::Scalar(value)) => value.to_array()?,
            None => return Ok(vec![0]),
        };
        let texts = cast(&array, &DataType::Utf8View)?;
        Ok(texts.as_string_view().iter().map(|text| text.map_or(0, |text| text.len() as u64)).collect())
    }

    /// The text of an argument in each row.
    fn row(texts: &[u64], row: usize) -> u64 {
        texts.get(row).or_else(|| texts.first()).copied().unwrap_or(0)
    }

    /// All bytes of an argument.
    fn bytes(&self, index: usize) -> Result<u64> {
        let is_text = |data_type: &DataType| match data_type {
            DataType::Dictionary(_, value) => value.is_string(),
            other => other.is_string(),
        };
        match &self.arguments[index] {
            ColumnarValue::Array(array) if is_text(array.data_type()) => Ok(self.texts(index)?.iter().sum()),
            ColumnarValue::Array(array) => Ok(array.get_array_memory_size() as u64),
            ColumnarValue::Scalar(value) => Ok((value.size() * self.rows) as u64),
        }
    }

    fn sum(&self) -> Result<u64> {
        (0..self.arguments.len()).map(|index| self.bytes(index)).sum()
    }
}

fn together(sizes: &Sizes) -> Result<u64> {
    sizes.sum()
}

/// The sign between the items may be long, and there are at most as many items as bytes.
fn joined(sizes: &Sizes) -> Result<u64> {
    let between = sizes.texts(1)?.into_iter().max().unwrap_or(0);
    Ok(sizes.bytes(0)?.saturating_mul(between.saturating_add(1)))
}

fn replaced(sizes: &Sizes) -> Result<u64> {
    let [text, from, to] = [sizes.texts(0)?, sizes.texts(1)?, sizes.texts(2)?];
    let row = |row| {
        let [text, from, to] = [&text, &from, &to].map(|texts| Sizes::row(texts, row));
        text.saturating_add((text / from.max(1)).saturating_add(1).saturating_mul(to))
    };
    Ok((0..sizes.rows).map(row).fold(0, u64::saturating_add))
}

/// With the flag `g` a pattern may match between any two bytes; what replaces it may repeat what was found.
fn replaced_by_pattern(sizes: &Sizes) -> Result<u64> {
    let [text, to] = [sizes.texts(0)?, sizes.texts(2)?];
    let everywhere = match sizes.arguments.get(3) {
        Some(ColumnarValue::Scalar(flags)) => flags.try_as_str().flatten().is_some_and(|flags| flags.contains('g')),
        Some(ColumnarValue::Array(_)) => true,
        None => false,
    };
    let repeats = match sizes.arguments.get(2) {
        Some(ColumnarValue::Scalar(to)) => to.try_as_str().flatten().map_or(0, |to| to.matches(['\\', '$']).count() as u64),
        // At most every second byte begins a reference.
        _ => to.iter().max().map_or(0, |longest| longest / 2),
    };
    let row = |row| {
        let [text, to] = [&text, &to].map(|texts| Sizes::row(texts, row));
        let matches = if everywhere { text + 1 } else { 1 };
        // What all matches repeat is at most the text itself, as often as it is referred to.
        text.saturating_add(matches.saturating_mul(to)).saturating_add(text.saturating_mul(repeats))
    };
    Ok((0..sizes.rows).map(row).fold(0, u64::saturating_add))
}

fn check(name: &str, bytes: u64) -> Result<()> {
    if bytes > MAX_BYTES {
        let most = MAX_BYTES >> 20;
        return exec_err!(
            "{name} would make more than {most} MB of text at once; cut the texts with left(text, count), or ask for fewer rows"
        );
    }
    Ok(())
}

/// A bound by the name of its function, which tells it from others.
#[derive(Clone, Copy, Debug)]
struct By(&'static str, Bound);

impl PartialEq for By {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for By {}

impl std::hash::Hash for By {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// A function of the engine with a bound. Its own simplification is left out: it would bring back the function without.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    bound: By,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<arrow::datatypes::FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        check(self.name(), (self.bound.1)(&Sizes { arguments: &args.args, rows })?)?;
        self.inner.invoke_with_args(args)
    }
}

/// Functions get their bounds, and `a || b` becomes `short_text(a) || short_text(b)`, so that a chain of them ends before it is long.
#[derive(Debug)]
struct BoundTexts;

impl FunctionRewrite for BoundTexts {
    fn name(&self) -> &str {
        "bound_texts"
    }

    fn rewrite(&self, expression: Expr, _: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        Ok(match expression {
            Expr::ScalarFunction(mut call) => match FUNCTIONS.iter().find(|(name, _)| *name == call.func.name()) {
                Some((name, bound)) if !is::<Bounded>(&call.func) => {
                    call.func = Arc::new(ScalarUDF::from(Bounded { inner: call.func, bound: By(name, *bound) }));
                    Transformed::yes(Expr::ScalarFunction(call))
                }
                _ => Transformed::no(Expr::ScalarFunction(call)),
            },
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
                let (left, right) = (short(*left), short(*right));
                let changed = left.transformed || right.transformed;
                let joined = BinaryExpr { left: Box::new(left.data), op: Operator::StringConcat, right: Box::new(right.data) };
                Transformed::new_transformed(Expr::BinaryExpr(joined), changed)
            }
            other => Transformed::no(other),
        })
    }
}

fn is<F: ScalarUDFImpl>(function: &ScalarUDF) -> bool {
    let function: &dyn std::any::Any = function.inner().as_ref();
    function.is::<F>()
}

/// An operand that ends the statement if it is long. A constant is as short as the statement.
fn short(operand: Expr) -> Transformed<Expr> {
    match &operand {
        Expr::Literal(..) => Transformed::no(operand),
        Expr::ScalarFunction(call) if is::<Short>(&call.func) => Transformed::no(operand),
        _ => Transformed::yes(ScalarUDF::from(Short::default()).call(vec![operand])),
    }
}

const SHORT: &str = "short_text";

/// What it is given, if that is short. Only plans made here have it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Short {
    signature: Signature,
}

impl Default for Short {
    fn default() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Short {
    fn name(&self) -> &str {
        SHORT
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [own] => Ok(own.clone()),
            _ => plan_err!("{SHORT} wants one argument"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = if matches!(args.args[0], ColumnarValue::Scalar(_)) { 1 } else { args.number_rows };
        check("||", Sizes { arguments: &args.args, rows }.sum()?)?;
        let [value]: [ColumnarValue; 1] =
            args.args.try_into().map_err(|_| DataFusionError::Internal(format!("{SHORT} has one argument")))?;
        Ok(value)
    }
}
