//! Pairs become groups: union–find.

/// Sets that are merged pair by pair.
#[derive(Debug, Clone)]
pub(super) struct UnionFind {
    parent: Vec<u32>,
}

impl UnionFind {
    /// `n` sets of one element each.
    pub(super) fn new(n: usize) -> Self {
        Self { parent: (0..n as u32).collect() }
    }

    /// The least element of the set that `i` is in.
    pub(super) fn find(&mut self, i: usize) -> usize {
        let mut at = i as u32;
        while self.parent[at as usize] != at {
            // Halves the path, so that the next search is shorter.
            let above = self.parent[self.parent[at as usize] as usize];
            self.parent[at as usize] = above;
            at = above;
        }
        at as usize
    }

    pub(super) fn union(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        self.parent[a.max(b)] = a.min(b) as u32;
    }

    /// The sets of two elements and more, each in order, in the order of their least elements.
    pub(super) fn groups(&mut self) -> Vec<Vec<usize>> {
        let mut sets = vec![Vec::new(); self.parent.len()];
        for i in 0..self.parent.len() {
            let root = self.find(i);
            sets[root].push(i);
        }
        sets.retain(|set| set.len() > 1);
        sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Two elements are in one group exactly when a path of pairs leads from one to the other.
        #[test]
        fn groups_are_what_pairs_connect(pairs in prop::collection::vec((0..20usize, 0..20usize), 0..25)) {
            let mut reached = [[false; 20]; 20];
            for (i, row) in reached.iter_mut().enumerate() {
                row[i] = true;
            }
            for &(a, b) in &pairs {
                (reached[a][b], reached[b][a]) = (true, true);
            }
            for via in 0..20 {
                for a in 0..20 {
                    for b in 0..20 {
                        reached[a][b] |= reached[a][via] && reached[via][b];
                    }
                }
            }
            let mut sets = UnionFind::new(20);
            for &(a, b) in &pairs {
                sets.union(a, b);
            }
            for (a, row) in reached.iter().enumerate() {
                for (b, reached) in row.iter().enumerate() {
                    prop_assert_eq!(sets.find(a) == sets.find(b), *reached);
                }
            }
            for group in sets.groups() {
                prop_assert!(group.len() > 1 && group.is_sorted());
                prop_assert_eq!(sets.find(group[1]), group[0]);
            }
        }
    }
}
