//! A dense table of replicas by op numbers.

/// One value per replica and op number; places outside do not exist.
#[derive(Clone, Debug)]
pub struct Grid<T> {
    cells: Vec<T>,
    columns: usize,
}

impl<T: Copy> Grid<T> {
    /// A table of `rows` replicas and `columns` op numbers, filled with `value`.
    #[must_use]
    pub fn new(rows: usize, columns: usize, value: T) -> Self {
        Self { cells: vec![value; rows * columns], columns }
    }

    /// The value at a place, if the place exists.
    #[inline]
    #[must_use]
    pub fn get(&self, replica: u8, op: u64) -> Option<T> {
        self.place(replica, op).and_then(|place| self.cells.get(place).copied())
    }

    /// Sets the value at a place, if the place exists.
    #[inline]
    pub fn set(&mut self, replica: u8, op: u64, value: T) {
        if let Some(cell) = self.place(replica, op).and_then(|place| self.cells.get_mut(place)) {
            *cell = value;
        }
    }

    /// All values of a replica, by op number; empty when there is no such replica.
    #[must_use]
    pub fn row(&self, replica: u8) -> &[T] {
        let start = usize::from(replica) * self.columns;
        self.cells.get(start..start + self.columns).unwrap_or(&[])
    }

    /// All values of a replica, by op number; empty when there is no such replica.
    pub fn row_mut(&mut self, replica: u8) -> &mut [T] {
        let start = usize::from(replica) * self.columns;
        self.cells.get_mut(start..start + self.columns).unwrap_or(&mut [])
    }

    #[inline]
    fn place(&self, replica: u8, op: u64) -> Option<usize> {
        let op = usize::try_from(op).ok().filter(|op| *op < self.columns)?;
        Some(usize::from(replica) * self.columns + op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_outside_do_not_exist() {
        let mut grid = Grid::new(2, 3, 0_u8);
        grid.set(1, 2, 7);
        grid.set(1, 3, 9);
        grid.set(2, 0, 9);
        grid.set(0, u64::MAX, 9);
        assert_eq!(grid.get(1, 2), Some(7));
        assert_eq!(grid.get(1, 3), None);
        assert_eq!(grid.get(2, 0), None);
        assert_eq!(grid.row(0), [0, 0, 0]);
        assert_eq!(grid.row(1), [0, 0, 7]);
        assert!(grid.row(5).is_empty());
    }
}
