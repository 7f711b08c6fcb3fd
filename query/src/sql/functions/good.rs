//! `good(value, quality)`: the value if it is Good, else none. A value that is not Good must not be computed with, yet its row says
//! that nothing is known from then on; so it is turned into none, not left out.

use arrow::{array::AsArray, compute::kernels::zip::zip, datatypes::DataType};
use datafusion::{
    common::plan_err,
    error::Result,
    logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility},
};

const NAME: &str = "good";

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Good {
    signature: Signature,
}

impl Default for Good {
    fn default() -> Self {
        Self { signature: Signature::user_defined(Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Good {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let [value, _] = given else { return plan_err!("{NAME} wants a value and its quality: {NAME}(value, quality)") };
        Ok(vec![value.clone(), DataType::Utf8])
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let values = args.args[0].to_array(args.number_rows)?;
        let qualities = args.args[1].to_array(args.number_rows)?;
        let is_good = qualities.as_string::<i32>().iter().map(|quality| Some(quality == Some("good"))).collect();
        let none = arrow::array::Scalar::new(arrow::array::new_null_array(values.data_type(), 1));
        Ok(ColumnarValue::Array(zip(&is_good, &values, &none)?))
    }
}
