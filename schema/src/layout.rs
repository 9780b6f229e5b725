//! How the table of columns lies in a Parquet file: one leaf after another.
//!
//! Five common columns, then one optional struct per kind. Writer and reader both walk this list.

use crate::column::ColumnType;
use crate::dictionary::Dictionary;
use crate::rows::Kind;
use crate::tables::{COMMON_COLUMNS, ColumnSpec, Faults, Messages, Operations, RUN_COLUMNS, StorageAccesses, Transitions};
use parquet::basic::{LogicalType, Repetition, Type as PhysicalType};
use parquet::schema::types::{Type, TypePtr};
use std::sync::Arc;

/// Which part of a column a leaf holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// All of it.
    Whole,
    /// The keys of a list of pairs.
    Key,
    /// The values of a list of pairs.
    Value,
}

/// One leaf column of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaf {
    /// The kind whose struct it is in; none for common columns.
    pub(crate) kind: Option<Kind>,
    /// Index among the kind's (or the common) columns.
    pub(crate) column: usize,
    /// The column.
    pub(crate) spec: &'static ColumnSpec,
    /// Which part of it.
    pub(crate) part: Part,
}

impl Leaf {
    /// The leaf's path in the file.
    pub(crate) fn path(&self) -> String {
        let name = self.spec.name;
        let column = self.kind.map_or_else(|| name.to_owned(), |kind| format!("{kind}.{name}"));
        match self.part {
            Part::Whole => column,
            Part::Key => format!("{column}.list.element.key"),
            Part::Value => format!("{column}.list.element.value"),
        }
    }

    /// Definition level of a value that is there.
    pub(crate) fn max_definition(&self) -> u32 {
        match self.part {
            Part::Whole => u32::from(self.kind.is_some()) + u32::from(self.spec.nullable),
            Part::Key => 3,
            Part::Value => 4,
        }
    }

    /// Largest repetition level.
    pub(crate) fn max_repetition(&self) -> u32 {
        u32::from(self.part != Part::Whole)
    }

    /// Physical type in the file.
    pub(crate) fn physical(&self) -> PhysicalType {
        match self.spec.column_type {
            ColumnType::U8 | ColumnType::U16 | ColumnType::U32 => PhysicalType::INT32,
            ColumnType::U64 | ColumnType::Pairs => PhysicalType::INT64,
            ColumnType::F64 => PhysicalType::DOUBLE,
            ColumnType::Dictionary(_) | ColumnType::Text => PhysicalType::BYTE_ARRAY,
            ColumnType::Bytes32 => PhysicalType::FIXED_LEN_BYTE_ARRAY,
        }
    }
}

/// The columns of a kind's struct, in file order.
#[must_use]
pub fn columns_of(kind: Kind) -> &'static [ColumnSpec] {
    match kind {
        Kind::Run => RUN_COLUMNS,
        Kind::Operation => Operations::COLUMNS,
        Kind::Message => Messages::COLUMNS,
        Kind::Transition => Transitions::COLUMNS,
        Kind::Storage => StorageAccesses::COLUMNS,
        Kind::Fault => Faults::COLUMNS,
    }
}

/// All leaves in file order.
pub(crate) fn leaves() -> Vec<Leaf> {
    let mut leaves = Vec::new();
    let mut add = |kind, columns: &'static [ColumnSpec]| {
        for (column, spec) in columns.iter().enumerate() {
            let parts: &[Part] = if spec.column_type == ColumnType::Pairs { &[Part::Key, Part::Value] } else { &[Part::Whole] };
            leaves.extend(parts.iter().map(|part| Leaf { kind, column, spec, part: *part }));
        }
    };
    add(None, COMMON_COLUMNS);
    for kind in Kind::ALL {
        add(Some(*kind), columns_of(*kind));
    }
    leaves
}

/// Bytes that one row of a kind takes in memory, lists not counted.
pub(crate) fn row_bytes(kind: Kind) -> usize {
    let common = 16;
    let own = columns_of(kind).iter().map(|spec| match spec.column_type {
        ColumnType::U8 | ColumnType::Dictionary(_) => 1,
        ColumnType::U16 => 2,
        ColumnType::U32 => 4,
        ColumnType::U64 | ColumnType::F64 => 8,
        ColumnType::Pairs => 5,
        ColumnType::Text | ColumnType::Bytes32 => 32,
    });
    common + own.sum::<usize>()
}

/// The Parquet schema of a history.
pub(crate) fn parquet_schema() -> Result<TypePtr, parquet::errors::ParquetError> {
    let mut fields = Vec::new();
    for spec in COMMON_COLUMNS {
        fields.push(field(spec)?);
    }
    for kind in Kind::ALL {
        let columns = columns_of(*kind).iter().map(field).collect::<Result<Vec<_>, _>>()?;
        let group = Type::group_type_builder(kind.name()).with_repetition(Repetition::OPTIONAL).with_fields(columns).build()?;
        fields.push(Arc::new(group));
    }
    Ok(Arc::new(Type::group_type_builder("history").with_fields(fields).build()?))
}

fn field(spec: &ColumnSpec) -> Result<TypePtr, parquet::errors::ParquetError> {
    let repetition = if spec.nullable { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let unsigned = |bits| Some(LogicalType::integer(bits, false));
    let (physical, logical, length) = match spec.column_type {
        ColumnType::U8 => (PhysicalType::INT32, unsigned(8), -1),
        ColumnType::U16 => (PhysicalType::INT32, unsigned(16), -1),
        ColumnType::U32 => (PhysicalType::INT32, unsigned(32), -1),
        ColumnType::U64 => (PhysicalType::INT64, unsigned(64), -1),
        ColumnType::F64 => (PhysicalType::DOUBLE, None, -1),
        ColumnType::Dictionary(_) | ColumnType::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String), -1),
        ColumnType::Bytes32 => (PhysicalType::FIXED_LEN_BYTE_ARRAY, None, 32),
        ColumnType::Pairs => return pairs(spec.name),
    };
    let leaf = Type::primitive_type_builder(spec.name, physical)
        .with_repetition(repetition)
        .with_logical_type(logical)
        .with_length(length)
        .build()?;
    Ok(Arc::new(leaf))
}

fn pairs(name: &str) -> Result<TypePtr, parquet::errors::ParquetError> {
    let number = |name, repetition| {
        Type::primitive_type_builder(name, PhysicalType::INT64)
            .with_repetition(repetition)
            .with_logical_type(Some(LogicalType::integer(64, false)))
            .build()
            .map(Arc::new)
    };
    let members = vec![number("key", Repetition::REQUIRED)?, number("value", Repetition::OPTIONAL)?];
    let element = Type::group_type_builder("element").with_repetition(Repetition::REQUIRED).with_fields(members).build()?;
    let list = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![Arc::new(element)]).build()?;
    let column = Type::group_type_builder(name)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(list)])
        .build()?;
    Ok(Arc::new(column))
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::schema::types::SchemaDescriptor;

    #[test]
    fn leaves_and_schema_are_one_list() {
        let schema = SchemaDescriptor::new(parquet_schema().unwrap());
        let leaves = leaves();
        assert_eq!(schema.num_columns(), leaves.len());
        for (leaf, column) in leaves.iter().zip(schema.columns()) {
            assert_eq!(leaf.path(), column.path().string());
            assert_eq!(leaf.physical(), column.physical_type(), "{}", leaf.path());
            assert_eq!(leaf.max_definition(), u32::from(column.max_def_level().cast_unsigned()), "{}", leaf.path());
            assert_eq!(leaf.max_repetition(), u32::from(column.max_rep_level().cast_unsigned()), "{}", leaf.path());
        }
    }
}
