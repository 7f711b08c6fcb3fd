//! Texts made of values by the codes of Java's Formatter: `%d %f %e %g %s %x %o %c %b %%`, with flags, width and precision.
//!
//! Source: java.util.Formatter, general, integral, floating point and character conversions. Other codes are refused when the text is
//! read; a value that a code cannot take (`%d` of 1.5) has no result.

use super::cell::Cell;
use std::sync::Arc;

/// Widest field and most decimals: no wider than a text may be.
const MAX_WIDTH: usize = 1024;

/// A text with places for values.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatText(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Text(Arc<str>),
    /// The value of this number, from 0.
    Value(usize, Code),
}

/// One `%…`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Code {
    conversion: Conversion,
    upper: bool,
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    group: bool,
    parentheses: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Conversion {
    #[default]
    Text,
    Whole,
    Hex,
    Octal,
    Fixed,
    Scientific,
    General,
    Letter,
    Boolean,
}

impl FormatText {
    /// Reads a format; gives it with the number of values it takes.
    pub(super) fn parse(format: &str) -> Result<(Self, usize), String> {
        let (mut parts, mut plain, mut next, mut most) = (Vec::new(), String::new(), 0, 0);
        let mut rest = format;
        while let Some(place) = rest.find('%') {
            plain.push_str(&rest[..place]);
            rest = &rest[place + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                plain.push('%');
                rest = after;
            } else if let Some(after) = rest.strip_prefix('n') {
                plain.push('\n');
                rest = after;
            } else {
                let (number, code, after) = Code::parse(rest)?;
                rest = after;
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain).into()));
                }
                let number = number.unwrap_or_else(|| {
                    next += 1;
                    next - 1
                });
                most = most.max(number + 1);
                parts.push(Part::Value(number, code));
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain.into()));
        }
        Ok((Self(parts), most))
    }

    /// A text of given parts.
    pub(super) fn of(parts: Vec<Part>) -> Self {
        Self(parts)
    }

    /// Writes the values; none if a code cannot take its value.
    pub(super) fn write(&self, values: &[Cell]) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Value(number, code) => text.push_str(&code.write(values.get(*number)?)?),
            }
            if text.len() > 8 * MAX_WIDTH {
                return None;
            }
        }
        Some(text)
    }
}

impl Code {
    /// A code on its own, with or without its `%`, as `{x:"%.2f"}` has it.
    pub(super) fn single(text: &str) -> Result<Self, String> {
        let (_, code, rest) = Self::parse(text.strip_prefix('%').unwrap_or(text))?;
        if rest.is_empty() { Ok(code) } else { Err(format!("`{rest}` stands after the code; write one code such as `%.2f`")) }
    }

    /// What stands after a `%`: number of the value, code, and what follows.
    fn parse(text: &str) -> Result<(Option<usize>, Self, &str), String> {
        let digits = |text: &str| text.find(|next: char| !next.is_ascii_digit()).unwrap_or(text.len());
        let (mut rest, mut number) = (text, None);
        let end = digits(rest);
        if end > 0 && rest[end..].starts_with('$') {
            let position = rest[..end].parse::<usize>().ok().filter(|position| (1..=64).contains(position));
            number = Some(position.ok_or_else(|| format!("there is no value number {}", &rest[..end]))? - 1);
            rest = &rest[end + 1..];
        }
        let mut code = Self::default();
        while let Some(flag) = rest.chars().next() {
            let field = match flag {
                '-' => &mut code.left,
                '0' => &mut code.zero,
                '+' => &mut code.plus,
                ' ' => &mut code.space,
                ',' => &mut code.group,
                '(' => &mut code.parentheses,
                '#' => &mut code.alternate,
                _ => break,
            };
            if std::mem::replace(field, true) {
                return Err(format!("the flag `{flag}` is given twice"));
            }
            rest = &rest[1..];
        }
        let end = digits(rest);
        code.width = bounded(&rest[..end])?.unwrap_or(0);
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix('.') {
            let end = digits(after);
            code.precision = Some(bounded(&after[..end])?.ok_or("a number was expected after the `.` of a code")?);
            rest = &after[end..];
        }
        let letter = rest.chars().next().ok_or("a code ends without its letter, such as `%d` or `%.2f`")?;
        code.conversion = match letter.to_ascii_lowercase() {
            'd' if letter == 'd' => Conversion::Whole,
            'f' if letter == 'f' => Conversion::Fixed,
            'o' if letter == 'o' => Conversion::Octal,
            'e' => Conversion::Scientific,
            'g' => Conversion::General,
            's' => Conversion::Text,
            'x' => Conversion::Hex,
            'c' => Conversion::Letter,
            'b' => Conversion::Boolean,
            _ => return Err(format!("the code `%{letter}` is not supported; there are %d %f %e %g %s %x %o %c %b %%")),
        };
        code.upper = letter.is_ascii_uppercase();
        code.fits(letter)?;
        Ok((number, code, &rest[letter.len_utf8()..]))
    }

    fn fits(&self, letter: char) -> Result<(), String> {
        use Conversion as C;
        let wrong = |what: &str| Err(format!("`%{letter}` takes no {what}"));
        let numeric = matches!(self.conversion, C::Whole | C::Fixed | C::Scientific | C::General);
        if (self.left || self.zero) && self.width == 0 {
            return Err(format!("the flags `-` and `0` of `%{letter}` need a width: `%-8{letter}`"));
        }
        match self.conversion {
            _ if self.left && self.zero => Err("the flags `-` and `0` exclude one another".into()),
            _ if self.plus && self.space => Err("the flags `+` and ` ` exclude one another".into()),
            C::Whole | C::Hex | C::Octal | C::Letter if self.precision.is_some() => wrong("precision"),
            C::Text | C::Letter | C::Boolean if self.zero => wrong("flag `0`"),
            C::Scientific if self.group => wrong("flag `,`"),
            _ if !numeric && (self.plus || self.space || self.group || self.parentheses) => wrong("sign or group"),
            _ => Ok(()),
        }
    }

    fn write(&self, cell: &Cell) -> Option<String> {
        use Conversion as C;
        let text = match self.conversion {
            C::Text => {
                let text = super::evaluate::written(cell)?;
                self.cut(&text)
            }
            C::Boolean => self.cut(if matches!(cell, Cell::Null | Cell::Boolean(false)) { "false" } else { "true" }),
            C::Letter => match cell {
                Cell::Text(text) if text.chars().count() == 1 => text.to_string(),
                cell => char::from_u32(u32::try_from(cell.as_whole()?).ok()?)?.to_string(),
            },
            C::Hex => {
                let digits = format!("{:x}", cell.as_whole()?);
                self.zeros(if self.alternate { "0x" } else { "" }, digits)
            }
            C::Octal => {
                let digits = format!("{:o}", cell.as_whole()?);
                self.zeros(if self.alternate { "0" } else { "" }, digits)
            }
            C::Whole => {
                let whole = cell.as_whole()?;
                self.signed(whole < 0, whole.unsigned_abs().to_string())
            }
            C::Fixed | C::Scientific | C::General => {
                let number = cell.as_f64().filter(|number| number.is_finite())?;
                let size = number.abs();
                let precision = self.precision.unwrap_or(6);
                let digits = match self.conversion {
                    C::Fixed => fixed(size, precision),
                    C::Scientific => scientific(size, precision),
                    _ => general(size, precision.max(1)),
                };
                self.signed(number.is_sign_negative(), digits)
            }
        };
        let text = if self.upper { text.to_uppercase() } else { text };
        let missing = self.width.saturating_sub(text.chars().count());
        let blanks = " ".repeat(missing);
        Some(if self.left { text + &blanks } else { blanks + &text })
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    /// Fills up with zeros between prefix and digits, if that is wanted.
    fn zeros(&self, prefix: &str, digits: String) -> String {
        let missing = if self.zero { self.width.saturating_sub(prefix.len() + digits.len()) } else { 0 };
        format!("{prefix}{}{digits}", "0".repeat(missing))
    }

    fn signed(&self, negative: bool, mut digits: String) -> String {
        if self.alternate && !digits.contains('.') && self.conversion == Conversion::Fixed {
            digits.push('.');
        }
        if self.group {
            digits = grouped(&digits);
        }
        let (before, after) = match negative {
            true if self.parentheses => ("(", ")"),
            true => ("-", ""),
            false if self.plus => ("+", ""),
            false if self.space => (" ", ""),
            false => ("", ""),
        };
        let missing = if self.zero { self.width.saturating_sub(before.len() + digits.len() + after.len()) } else { 0 };
        format!("{before}{}{digits}{after}", "0".repeat(missing))
    }
}

fn bounded(digits: &str) -> Result<Option<usize>, String> {
    match digits {
        "" => Ok(None),
        digits => match digits.parse::<usize>() {
            Ok(number) if number <= MAX_WIDTH => Ok(Some(number)),
            _ => Err(format!("a width or precision is at most {MAX_WIDTH}")),
        },
    }
}

/// Rounded half up on the shortest decimal that means the number, as Java does: 0.125 becomes 0.13, and 1.005 becomes 1.01.
fn fixed(size: f64, precision: usize) -> String {
    let shortest = size.to_string();
    let (whole, fraction) = shortest.split_once('.').unwrap_or((&shortest, ""));
    if fraction.len() <= precision {
        let point = if precision > 0 { "." } else { "" };
        return format!("{whole}{point}{fraction}{}", "0".repeat(precision - fraction.len()));
    }
    let up = fraction.as_bytes()[precision] >= b'5';
    let kept: String = format!("{whole}{}", &fraction[..precision]);
    let digits = if up { increment(&kept) } else { kept };
    match precision {
        0 => digits,
        _ => format!("{}.{}", &digits[..digits.len() - precision], &digits[digits.len() - precision..]),
    }
}

/// The next whole number, in decimal digits.
fn increment(digits: &str) -> String {
    let mut bytes = digits.as_bytes().to_vec();
    for byte in bytes.iter_mut().rev() {
        if *byte == b'9' {
            *byte = b'0';
        } else {
            *byte += 1;
            return String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    format!("1{}", String::from_utf8_lossy(&bytes))
}

/// `1.500000e+03`: at least two digits of exponent.
fn scientific(size: f64, precision: usize) -> String {
    let written = format!("{size:e}");
    let (mantissa, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let mut exponent: i32 = exponent.parse().unwrap_or(0);
    let mut mantissa = fixed(mantissa.parse().unwrap_or(0.0), precision);
    if mantissa.starts_with("10") {
        mantissa = fixed(1.0, precision);
        exponent += 1;
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// As decimals from 10^-4 up to 10^precision after rounding, else scientific; the precision counts all digits.
fn general(size: f64, precision: usize) -> String {
    if size == 0.0 {
        return fixed(0.0, precision - 1);
    }
    let rounded = scientific(size, precision - 1);
    let exponent: i32 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let places = i32::try_from(precision).unwrap_or(i32::MAX).saturating_sub(1).saturating_sub(exponent);
    if exponent >= -4 && places >= 0 { fixed(size, places.unsigned_abs() as usize) } else { rounded }
}

/// Thousands apart, of the whole part alone: `1,234,567.5`.
fn grouped(digits: &str) -> String {
    let (whole, rest) = digits.split_at(digits.find(['.', 'e']).unwrap_or(digits.len()));
    let mut text = String::new();
    for (position, digit) in whole.char_indices() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: &str, value: impl Into<crate::Value>) -> String {
        match FormatText::parse(format) {
            Ok((text, _)) => text.write(&[Cell::from(&value.into())]).unwrap_or_else(|| "none".into()),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn numbers_as_java_writes_them() {
        let table = [
            ("%f", 1.5, "1.500000"),
            ("%.2f", 0.125, "0.13"),
            ("%.2f", 1.005, "1.01"),
            ("%.0f", 2.5, "3"),
            ("%.0f", 9.5, "10"),
            ("%.1f", -0.04, "-0.0"),
            ("%8.2f|", 3.1372, "    3.14|"),
            ("%-8.2f|", 3.1372, "3.14    |"),
            ("%08.2f", -3.1372, "-0003.14"),
            ("%+.1f", 3.0, "+3.0"),
            ("% .1f", 3.0, " 3.0"),
            ("%(.1f", -3.0, "(3.0)"),
            ("%,.2f", 1_234_567.891, "1,234,567.89"),
            ("%#.0f", 3.0, "3."),
            ("%e", 12345.678, "1.234568e+04"),
            ("%.1e", 9.96, "1.0e+01"),
            ("%.2E", 0.000123, "1.23E-04"),
            ("%g", 12345.678, "12345.7"),
            ("%g", 0.00001234, "1.23400e-05"),
            ("%g", 1234567.0, "1.23457e+06"),
            ("%g", 0.0, "0.00000"),
            ("%,.1g", 1e6, "1e+06"),
            ("%,.3g", 1e300, "1.00e+300"),
            ("%,.7g", 1234567.0, "1,234,567"),
            ("%d", 42.0, "42"),
            ("%,d", 1234567.0, "1,234,567"),
            ("%05d", -42.0, "-0042"),
            ("%d", 1.5, "none"),
            ("%x", 255.0, "ff"),
            ("%#X", 255.0, "0XFF"),
            ("%x", -1.0, "ffffffffffffffff"),
            ("%08x", 255.0, "000000ff"),
            ("%o", 8.0, "10"),
            ("%c", 65.0, "A"),
            ("%b", 1.0, "true"),
            ("%s", 1.5, "1.5"),
            ("%6s|", 1.5, "   1.5|"),
            ("100 %% of %1$s and %1$.1f%n", 1.5, "100 % of 1.5 and 1.5\n"),
        ];
        for (format, value, expected) in table {
            assert_eq!(written(format, value), expected, "{format} of {value}");
        }
    }

    #[test]
    fn texts() {
        assert_eq!(written("%s!", "on"), "on!");
        assert_eq!(written("%.2S|%1$5s", "abc"), "AB|  abc");
        assert_eq!(written("%f", "abc"), "none");
        assert_eq!(written("%s %s", "abc"), "none");
    }

    #[test]
    fn what_is_not_supported_says_so() {
        let table = [
            ("%t", "error: the code `%t` is not supported; there are %d %f %e %g %s %x %o %c %b %%"),
            ("%", "error: a code ends without its letter, such as `%d` or `%.2f`"),
            ("%.f", "error: a number was expected after the `.` of a code"),
            ("%.2d", "error: `%d` takes no precision"),
            ("%--5d", "error: the flag `-` is given twice"),
            ("%-d", "error: the flags `-` and `0` of `%d` need a width: `%-8d`"),
            ("%9999d", "error: a width or precision is at most 1024"),
            ("%0$d", "error: there is no value number 0"),
            ("%,s", "error: `%s` takes no sign or group"),
        ];
        for (format, expected) in table {
            assert_eq!(written(format, 1.0), expected, "{format}");
        }
    }
}
