//! A graph of ONNX operators that is built by writing formulas.

use super::proto::{
    AttributeProto, Dimension, DimensionProto, GraphProto, NodeProto, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use dnn_core::{Precision, Real};
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Sub};

/// What a tensor is made of; the numbers are the format's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F32 = 1,
    U8 = 2,
    I64 = 7,
    Bool = 9,
    F64 = 11,
}

impl Element {
    /// Returns the element type of a network's numbers.
    pub(crate) fn of(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F64 => Self::F64,
        }
    }
}

/// A graph that grows; [`Value`]s are the tensors in it.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    parts: RefCell<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
    /// The name of each value.
    names: Vec<String>,
}

/// A tensor of a graph. Arithmetic on it adds operators to the graph, with ONNX's broadcasting; a
/// number in a formula becomes a constant of the tensor's element type.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'g> {
    graph: &'g Graph,
    index: usize,
    pub(crate) element: Element,
}

impl Graph {
    /// Adds an input of the graph.
    pub(crate) fn input(&self, name: &str, element: Element, shape: &[Dimension]) -> Value<'_> {
        self.parts.borrow_mut().inputs.push(value_info(name, element, shape));
        self.value(name.into(), element)
    }

    /// Makes `value` an output of the graph, called `name`.
    pub(crate) fn output(&self, value: Value<'_>, name: &str, shape: &[Dimension]) {
        value.named(name);
        self.parts.borrow_mut().outputs.push(value_info(name, value.element, shape));
    }

    /// Adds an operator with one output.
    pub(crate) fn operator(
        &self,
        kind: &str,
        inputs: &[Value<'_>],
        attributes: Vec<AttributeProto>,
        element: Element,
    ) -> Value<'_> {
        let name = format!("{kind}_{}", self.parts.borrow().names.len());
        let mut parts = self.parts.borrow_mut();
        let input = inputs.iter().map(|value| parts.names[value.index].clone()).collect();
        parts.nodes.push(NodeProto {
            input,
            output: vec![name.clone()],
            name: name.clone(),
            op_type: kind.into(),
            attribute: attributes,
        });
        drop(parts);
        self.value(name, element)
    }

    /// Adds a constant of real numbers, in the precision of `F`.
    pub(crate) fn reals<F: Real>(&self, values: &[F], shape: &[usize], name: &str) -> Value<'_> {
        let element = Element::of(F::PRECISION);
        let mut bytes = Vec::with_capacity(size_of_val(values));
        for value in values {
            push(value.as_f64(), element, &mut bytes);
        }
        self.constant(bytes, element, shape, name)
    }

    /// Adds a constant of numbers, converted to `element`.
    pub(crate) fn numbers(&self, values: &[f64], shape: &[usize], element: Element) -> Value<'_> {
        let mut bytes = Vec::new();
        for &value in values {
            push(value, element, &mut bytes);
        }
        self.constant(bytes, element, shape, "")
    }

    /// Adds a list of whole numbers, such as axes or a shape.
    pub(crate) fn integers(&self, values: &[i64]) -> Value<'_> {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(bytes, Element::I64, &[values.len()], "")
    }

    /// Adds a constant of one number, without dimensions.
    pub(crate) fn number(&self, value: f64, element: Element) -> Value<'_> {
        self.numbers(&[value], &[], element)
    }

    fn constant(&self, raw: Vec<u8>, element: Element, shape: &[usize], name: &str) -> Value<'_> {
        /// Constants up to this many bytes are looked for among those that are there.
        const SMALL_BYTES: usize = 64;
        let dims: Vec<i64> = shape.iter().map(|&n| n as i64).collect();
        let mut parts = self.parts.borrow_mut();
        let same = |there: &&TensorProto| {
            there.raw_data == raw && there.dims == dims && there.data_type == element as i32
        };
        let is_small = name.is_empty() && raw.len() <= SMALL_BYTES;
        let there = is_small.then(|| parts.initializers.iter().find(same)).flatten();
        let there = there.and_then(|there| parts.names.iter().position(|n| *n == there.name));
        if let Some(index) = there {
            return Value { graph: self, index, element };
        }
        let name = match name {
            "" => format!("constant_{}", parts.names.len()),
            name => name.into(),
        };
        parts.initializers.push(TensorProto {
            dims,
            data_type: element as i32,
            name: name.clone(),
            raw_data: raw,
            ..TensorProto::default()
        });
        drop(parts);
        self.value(name, element)
    }

    fn value(&self, name: String, element: Element) -> Value<'_> {
        let mut parts = self.parts.borrow_mut();
        parts.names.push(name);
        Value { graph: self, index: parts.names.len() - 1, element }
    }

    /// Returns what was built.
    pub(crate) fn into_proto(self) -> GraphProto {
        let Parts { nodes, initializers, inputs, outputs, .. } = self.parts.into_inner();
        GraphProto {
            node: nodes,
            name: "dnn".into(),
            initializer: initializers,
            input: inputs,
            output: outputs,
        }
    }
}

/// Describes an input or output.
pub(crate) fn value_info(name: &str, element: Element, shape: &[Dimension]) -> ValueInfoProto {
    let dim = shape.iter().map(|d| DimensionProto { value: Some(d.clone()) }).collect();
    let shape = Some(TensorShapeProto { dim });
    let tensor_type = Some(TensorTypeProto { elem_type: element as i32, shape });
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type }) }
}

fn push(value: f64, element: Element, bytes: &mut Vec<u8>) {
    match element {
        Element::F32 => bytes.extend((value as f32).to_le_bytes()),
        Element::F64 => bytes.extend(value.to_le_bytes()),
        Element::I64 => bytes.extend((value as i64).to_le_bytes()),
        Element::U8 | Element::Bool => bytes.push(value as u8),
    }
}

impl<'g> Value<'g> {
    /// Returns the graph that the value belongs to.
    pub(crate) fn graph(self) -> &'g Graph {
        self.graph
    }

    /// Gives the last operator's output this name, in place of a running one.
    pub(crate) fn named(self, name: &str) -> Self {
        let mut parts = self.graph.parts.borrow_mut();
        let old = std::mem::replace(&mut parts.names[self.index], name.into());
        for node in &mut parts.nodes {
            for known in node.input.iter_mut().chain(&mut node.output) {
                if *known == old {
                    name.clone_into(known);
                }
            }
        }
        self
    }

    fn unary(self, kind: &str) -> Self {
        self.graph.operator(kind, &[self], Vec::new(), self.element)
    }

    fn binary(self, kind: &str, other: Self) -> Self {
        self.graph.operator(kind, &[self, other], Vec::new(), self.element)
    }

    fn compare(self, kind: &str, other: Self) -> Self {
        self.graph.operator(kind, &[self, other], Vec::new(), Element::Bool)
    }

    /// A number of this value's element type.
    pub(crate) fn number(self, value: f64) -> Self {
        self.graph.number(value, self.element)
    }

    pub(crate) fn floor(self) -> Self {
        self.unary("Floor")
    }

    pub(crate) fn ceil(self) -> Self {
        self.unary("Ceil")
    }

    pub(crate) fn abs(self) -> Self {
        self.unary("Abs")
    }

    pub(crate) fn sin(self) -> Self {
        self.unary("Sin")
    }

    pub(crate) fn exp(self) -> Self {
        self.unary("Exp")
    }

    pub(crate) fn ln(self) -> Self {
        self.unary("Log")
    }

    pub(crate) fn erf(self) -> Self {
        self.unary("Erf")
    }

    pub(crate) fn sqrt(self) -> Self {
        self.unary("Sqrt")
    }

    pub(crate) fn tanh(self) -> Self {
        self.unary("Tanh")
    }

    /// Not ONNX's Sigmoid in f64, which tract does not have.
    pub(crate) fn sigmoid(self) -> Self {
        match self.element {
            Element::F64 => (self * 0.5).tanh() * 0.5 + 0.5,
            _ => self.unary("Sigmoid"),
        }
    }

    pub(crate) fn relu(self) -> Self {
        self.unary("Relu")
    }

    /// To the nearest whole number, halves away from zero as Rust's `round`.
    pub(crate) fn round(self) -> Self {
        self.unary("Sign") * (self.abs() + 0.5).floor()
    }

    pub(crate) fn max(self, other: Self) -> Self {
        self.binary("Max", other)
    }

    pub(crate) fn min(self, other: Self) -> Self {
        self.binary("Min", other)
    }

    pub(crate) fn clamp(self, low: f64, high: f64) -> Self {
        self.max(self.number(low)).min(self.number(high))
    }

    pub(crate) fn at_least(self, other: Self) -> Self {
        self.compare("GreaterOrEqual", other)
    }

    pub(crate) fn greater(self, other: Self) -> Self {
        self.compare("Greater", other)
    }

    pub(crate) fn less(self, other: Self) -> Self {
        self.compare("Less", other)
    }

    pub(crate) fn equals(self, other: Self) -> Self {
        self.compare("Equal", other)
    }

    pub(crate) fn and(self, other: Self) -> Self {
        self.compare("And", other)
    }

    /// `yes` where this condition holds, else `no`.
    pub(crate) fn select(self, yes: Self, no: Self) -> Self {
        self.graph.operator("Where", &[self, yes, no], Vec::new(), yes.element)
    }

    pub(crate) fn matmul(self, other: Self) -> Self {
        self.binary("MatMul", other)
    }

    /// The sum along these axes, which stay as axes of length 1.
    pub(crate) fn sum(self, axes: &[i64]) -> Self {
        let axes = self.graph.integers(axes);
        let keep = vec![AttributeProto::int("keepdims", 1)];
        self.graph.operator("ReduceSum", &[self, axes], keep, self.element)
    }

    /// The greatest of all, without dimensions.
    pub(crate) fn greatest(self) -> Self {
        let keep = vec![AttributeProto::int("keepdims", 0)];
        self.graph.operator("ReduceMax", &[self], keep, self.element)
    }

    /// ln Σ e^x along an axis, which stays as an axis of length 1; nothing overflows.
    pub(crate) fn log_sum_exp(self, axis: i64) -> Self {
        let attributes =
            vec![AttributeProto::ints("axes", &[axis]), AttributeProto::int("keepdims", 1)];
        let top = self.graph.operator("ReduceMax", &[self], attributes, self.element);
        (self - top).exp().sum(&[axis]).ln() + top
    }

    /// Sums of the first, the first two, the first three … along the first axis, added in this order.
    pub(crate) fn running_sum(self) -> Self {
        let axis = self.graph.number(0.0, Element::I64);
        self.graph.operator("CumSum", &[self, axis], Vec::new(), self.element)
    }

    /// 0, 1, …, self − 1.
    pub(crate) fn count_up(self) -> Self {
        let (from, step) = (self.number(0.0), self.number(1.0));
        self.graph.operator("Range", &[from, self, step], Vec::new(), self.element)
    }

    pub(crate) fn cast(self, element: Element) -> Self {
        if element == self.element {
            return self;
        }
        let to = vec![AttributeProto::int("to", element as i64)];
        self.graph.operator("Cast", &[self], to, element)
    }

    pub(crate) fn transpose(self, axes: &[i64]) -> Self {
        let axes = vec![AttributeProto::ints("perm", axes)];
        self.graph.operator("Transpose", &[self], axes, self.element)
    }

    /// Of this shape: 0 leaves a length as it is, −1 stands for what remains.
    pub(crate) fn reshape(self, shape: &[i64]) -> Self {
        self.binary("Reshape", self.graph.integers(shape))
    }

    /// The lengths of this tensor along its axes.
    pub(crate) fn shape(self) -> Self {
        self.graph.operator("Shape", &[self], Vec::new(), Element::I64)
    }

    /// The entry with this index along the first axis.
    pub(crate) fn at(self, index: usize) -> Self {
        self.gather(self.graph.number(index as f64, Element::I64), 0)
    }

    /// The entries with these indices along an axis.
    pub(crate) fn gather(self, indices: Self, axis: i64) -> Self {
        let axis = vec![AttributeProto::int("axis", axis)];
        self.graph.operator("Gather", &[self, indices], axis, self.element)
    }

    /// This value over and over, in a tensor of this shape.
    pub(crate) fn expand(self, shape: Self) -> Self {
        self.binary("Expand", shape)
    }

    /// With each of `updates` added at its index along `axis`.
    pub(crate) fn scatter_add(self, indices: Self, updates: Self, axis: i64) -> Self {
        let mut attributes = vec![AttributeProto::int("axis", axis)];
        attributes.push(AttributeProto::text("reduction", "add"));
        self.graph.operator("ScatterElements", &[self, indices, updates], attributes, self.element)
    }

    /// The part from `starts` to before `ends` along `axes`.
    pub(crate) fn slice(self, starts: Self, ends: Self, axes: &[i64]) -> Self {
        let axes = self.graph.integers(axes);
        self.graph.operator("Slice", &[self, starts, ends, axes], Vec::new(), self.element)
    }

    /// With zeros around it; `widths` counts them before each axis, then after each.
    pub(crate) fn pad(self, widths: Self) -> Self {
        self.graph.operator("Pad", &[self, widths], Vec::new(), self.element)
    }

    /// These along one axis, one after the other.
    pub(crate) fn concat(parts: &[Self], axis: i64) -> Self {
        let axis = vec![AttributeProto::int("axis", axis)];
        parts[0].graph.operator("Concat", parts, axis, parts[0].element)
    }

    /// One number as a list of one.
    pub(crate) fn as_list(self) -> Self {
        self.reshape(&[1])
    }

    /// self·B, as Gemm: onnxruntime-web's MatMul is wrong by 2·10⁻¹⁰ in f64.
    pub(crate) fn gemm(self, other: Self) -> Self {
        self.binary("Gemm", other)
    }

    pub(crate) fn softmax(self) -> Self {
        let axis = vec![AttributeProto::int("axis", 1)];
        self.graph.operator("Softmax", &[self], axis, self.element)
    }
}

macro_rules! arithmetic {
    ($($operator:ident, $method:ident, $kind:literal;)*) => {
        $(impl<'g> $operator for Value<'g> {
            type Output = Self;
            fn $method(self, other: Self) -> Self {
                self.binary($kind, other)
            }
        }

        impl<'g> $operator<f64> for Value<'g> {
            type Output = Self;
            fn $method(self, other: f64) -> Self {
                self.binary($kind, self.number(other))
            }
        }

        impl<'g> $operator<Value<'g>> for f64 {
            type Output = Value<'g>;
            fn $method(self, other: Value<'g>) -> Value<'g> {
                other.number(self).binary($kind, other)
            }
        })*
    };
}

arithmetic! {
    Add, add, "Add";
    Sub, sub, "Sub";
    Mul, mul, "Mul";
    Div, div, "Div";
}
