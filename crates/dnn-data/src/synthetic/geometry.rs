//! Points, angles and the plane seen through a camera, in exactly rounded arithmetic.
//!
//! Only `+ - * /`, square roots, `floor`, `abs`, `min` and `max` are used here and wherever pixels
//! come from: IEEE 754 defines them to the last bit, the sine of a platform's library it does not.

pub(super) use crate::chance::sin_cos;
use std::ops::{Add, Mul, Neg, Sub};

/// A point or a vector; x to the right, y downwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// Makes a [`Point`].
pub(super) const fn pt(x: f64, y: f64) -> Point {
    Point { x, y }
}

impl Point {
    pub(super) fn dot(self, other: Self) -> f64 {
        self.x * other.x + self.y * other.y
    }

    pub(super) fn length(self) -> f64 {
        self.dot(self).sqrt()
    }

    /// Returns the point on the circle of radius `r` around `self`, clockwise from the right.
    pub(super) fn around(self, r: f64, degrees: f64) -> Self {
        let (sin, cos) = sin_cos(degrees);
        self + pt(r * cos, r * sin)
    }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        pt(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        pt(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f64> for Point {
    type Output = Self;
    fn mul(self, factor: f64) -> Self {
        pt(self.x * factor, self.y * factor)
    }
}

impl Neg for Point {
    type Output = Self;
    fn neg(self) -> Self {
        pt(-self.x, -self.y)
    }
}

/// Returns 0 below `from`, 1 above `to`, and a smooth cubic between.
pub(super) fn smoothstep(from: f64, to: f64, x: f64) -> f64 {
    let t = ((x - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A projective map of the plane, the 3×3 matrix that acts on (x, y, 1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Transform([[f64; 3]; 3]);

impl Transform {
    pub(super) const fn scale(x: f64, y: f64) -> Self {
        Self([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])
    }

    pub(super) const fn shift(x: f64, y: f64) -> Self {
        Self([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])
    }

    /// Clockwise, as seen in a picture whose y points down.
    pub(super) fn rotate(degrees: f64) -> Self {
        let (sin, cos) = sin_cos(degrees);
        Self([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    }

    /// The plane tipped by `degrees` about its horizontal axis, as a camera `distance` away sees it:
    /// the lower half recedes for a positive angle.
    pub(super) fn tip(degrees: f64, distance: f64) -> Self {
        let (sin, cos) = sin_cos(degrees);
        Self([[distance, 0.0, 0.0], [0.0, distance * cos, 0.0], [0.0, sin, distance]])
    }

    /// Returns the map that applies `first`, then `self`.
    pub(super) fn after(self, first: Self) -> Self {
        Self(std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                self.0[i][0] * first.0[0][j]
                    + self.0[i][1] * first.0[1][j]
                    + self.0[i][2] * first.0[2][j]
            })
        }))
    }

    pub(super) fn apply(&self, p: Point) -> Point {
        let w = self.weight(p);
        let row = |i: usize| self.0[i][0] * p.x + self.0[i][1] * p.y + self.0[i][2];
        pt(row(0) / w, row(1) / w)
    }

    /// Returns the homogeneous coordinate of the image of `p`.
    pub(super) fn weight(&self, p: Point) -> f64 {
        self.0[2][0] * p.x + self.0[2][1] * p.y + self.0[2][2]
    }

    pub(super) fn determinant(&self) -> f64 {
        (0..3).map(|j| self.0[0][j] * self.cofactor(0, j)).sum()
    }

    /// Returns the inverse map; every map made here has one.
    pub(super) fn inverse(&self) -> Self {
        let det = self.determinant();
        Self(std::array::from_fn(|i| std::array::from_fn(|j| self.cofactor(j, i) / det)))
    }

    fn cofactor(&self, i: usize, j: usize) -> f64 {
        let at = |di: usize, dj: usize| self.0[(i + di) % 3][(j + dj) % 3];
        at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_leads_back() {
        let map = Transform::shift(3.0, -1.0)
            .after(Transform::tip(40.0, 3.0))
            .after(Transform::rotate(25.0))
            .after(Transform::scale(2.0, 0.5));
        let p = pt(0.3, -0.7);
        assert!((map.inverse().apply(map.apply(p)) - p).length() < 1e-14);
    }

    #[test]
    fn a_tipped_plane_is_narrower_where_it_recedes() {
        let view = Transform::tip(30.0, 3.0);
        let half_width = |y: f64| view.apply(pt(1.0, y)).x;
        assert!(half_width(1.0) < half_width(0.0) && half_width(0.0) < half_width(-1.0));
        assert!(view.apply(pt(0.0, 1.0)).y < 1.0);
    }
}
