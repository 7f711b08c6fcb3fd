//! Numbers from their digits, quickly for those that sensors send, exactly for all.

/// Powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21,
    1e22,
];
/// Digits that always fit the 53 bits of a double's significand.
const EXACT_DIGITS: usize = 15;

/// A whole number with an optional `-`; none if it is something else or too large.
pub fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut number = 0_u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // 19 digits fit 64 bits without a sign.
        number = number * 10 + u64::from(digit);
    }
    let number = i128::from(number);
    i64::try_from(if negative { -number } else { number }).ok()
}

/// A finite decimal number; none if it is something else. `nan` and `inf` are no numbers here.
///
/// Up to 15 digits divided by an exact power of ten are rounded once, so the result is the nearest double (Clinger, "How to Read
/// Floating Point Numbers Accurately", PLDI 1990); everything else goes the long way.
pub fn double(text: &[u8]) -> Option<f64> {
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    let (mut number, mut count, mut point) = (0_u64, 0, None);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' if count < EXACT_DIGITS => {
                number = number * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b'.' if point.is_none() => point = Some(at),
            _ => return long_way(text),
        }
    }
    if count == 0 {
        return None;
    }
    let fraction = point.map_or(0, |point| digits.len() - point - 1);
    let value = number as f64 / POWERS[fraction];
    Some(if negative { -value } else { value })
}

fn long_way(text: &[u8]) -> Option<f64> {
    if !text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E')) || text.first() == Some(&b'+') {
        return None;
    }
    let number: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    number.is_finite().then_some(number)
}
