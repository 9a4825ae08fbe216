//! The shapes that arrays of images and labels may have, in every format.

use crate::ImageShape;
use crate::InputContract;

/// Returns the number and size of the images of an array of this shape.
///
/// # Errors
/// The shapes that are allowed, in words.
pub(crate) fn of_images(shape: &[u64], may_be_table: bool) -> Result<(u64, ImageShape), String> {
    let max = u64::from(InputContract::MAX_SIDE);
    let max_columns = u64::from(InputContract::MAX_COLUMNS);
    let (m, height, width, channels) = match *shape {
        [m, height, width, channels @ (1 | 3)] => (m, height, width, channels),
        [m, height, width] => (m, height, width, 1),
        [_, 1 | 3, _, _] => return Err("(m, height, width, 3): the channels come last".into()),
        [_, _, _, 4] => return Err("(m, height, width, 3): remove the alpha channel".into()),
        [m, n] if may_be_table && (1..=max_columns).contains(&n) => {
            return if m == 0 {
                Err("at least one row".into())
            } else {
                Ok((m, ImageShape { height: 1, width: n as usize, channels: 1 }))
            };
        }
        [_, _] if may_be_table => {
            return Err(format!("(m, n), a table of 1 to {max_columns} columns"));
        }
        [_, _] => return Err("(m, height, width, 3): images must not be flattened".into()),
        _ => return Err("(m, height, width, 3), or 1 channel, or (m, height, width)".into()),
    };
    if m == 0 {
        return Err("at least one image".into());
    }
    if !(1..=max).contains(&height) || !(1..=max).contains(&width) {
        return Err(format!("height and width from 1 to {max}"));
    }
    let [height, width, channels] = [height, width, channels].map(|n| n as usize);
    Ok((m, ImageShape { height, width, channels }))
}

/// Returns the number of labels of an array of this shape.
///
/// # Errors
/// The shapes that are allowed, in words.
pub(crate) fn of_labels(shape: &[u64]) -> Result<u64, String> {
    match *shape {
        [m] | [m, 1] | [1, m] => Ok(m),
        _ => Err("(m,), (m, 1) or (1, m): one class index for each image".into()),
    }
}

/// Returns a shape as Python prints it.
pub(crate) fn shown(shape: &[u64]) -> String {
    match shape {
        [n] => format!("({n},)"),
        _ => format!("({})", shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}
