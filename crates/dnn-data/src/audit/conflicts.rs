//! Pairs of like images become groups, leaks and contradictions.

use super::exact::Classes;
use super::groups::UnionFind;
use super::images::AllImages;
use super::near::Pair;
use super::report::{Duplicates, Group, ImageRef, Leak, Likeness, Listed};

/// What is known of like images.
#[derive(Debug)]
pub(super) struct Found<'a> {
    images: &'a AllImages<'a>,
    exact: &'a Classes,
    near: UnionFind,
    /// Of each class with near ones in the training set: the nearest class, how near it is, and how
    /// many training images are near.
    in_train: Vec<Option<(Pair, usize)>>,
}

impl<'a> Found<'a> {
    pub(super) fn new(images: &'a AllImages<'a>, exact: &'a Classes) -> Self {
        let n = exact.members.len();
        Self { images, exact, near: UnionFind::new(n), in_train: vec![None; n] }
    }

    /// Takes in two classes that are near.
    pub(super) fn add(&mut self, pair: Pair) {
        self.near.union(pair.a, pair.b);
        for pair in [pair, Pair { a: pair.b, b: pair.a, ..pair }] {
            let n = self.n_train(pair.b);
            if n == 0 {
                continue;
            }
            let rank = |pair: &Pair| (pair.difference, pair.distance, pair.b);
            let (best, count) = self.in_train[pair.a].get_or_insert((pair, 0));
            *count += n;
            if rank(&pair) < rank(best) {
                *best = pair;
            }
        }
    }

    /// Training images of a class; they are its first.
    fn n_train(&self, class: usize) -> usize {
        self.exact.members[class].partition_point(|&i| self.images.is_train(i as usize))
    }

    fn at(&self, i: u32) -> ImageRef {
        self.images.at(i as usize)
    }

    pub(super) fn exact_groups(&self, max: usize) -> Duplicates {
        let classes = self.exact.members.iter().filter(|members| members.len() > 1);
        duplicates(classes.map(|members| self.group(members, true, max)).collect(), max)
    }

    pub(super) fn near_groups(&mut self, max: usize) -> Duplicates {
        let groups = self.near.groups();
        let group = |classes: &Vec<usize>| self.group(&self.members(classes), false, max);
        duplicates(groups.iter().map(group).collect(), max)
    }

    /// The images of several classes, in order.
    fn members(&self, classes: &[usize]) -> Vec<u32> {
        let mut members: Vec<u32> =
            classes.iter().flat_map(|&class| &self.exact.members[class]).copied().collect();
        members.sort_unstable();
        members
    }

    /// A group, with the first image that has not the first's pixels as the other.
    fn group(&self, members: &[u32], same_pixels: bool, max: usize) -> Group {
        let first = self.images.content(members[0] as usize);
        let differs = |&&i: &&u32| self.images.content(i as usize) != first;
        let other = if same_pixels { None } else { members.iter().find(differs) };
        let other = self.at(*other.unwrap_or(&members[1]));
        Group { same_pixels, images: self.listed(members, max), other }
    }

    fn listed(&self, members: &[u32], max: usize) -> Listed<ImageRef> {
        let listed = members.iter().take(max).map(|&i| self.at(i)).collect();
        Listed { total: members.len(), listed }
    }

    /// A leak for each test image that has its like in the training set.
    pub(super) fn leaks(&self) -> Vec<Leak> {
        let mut leaks = Vec::new();
        for (class, members) in self.exact.members.iter().enumerate() {
            let (train, test) = members.split_at(self.n_train(class));
            let near = self.in_train[class];
            let (twin, likeness) = match (train.first(), near) {
                (Some(&twin), _) => (twin, Likeness::Same),
                (None, Some((Pair { b, distance, difference, .. }, _))) => {
                    (self.exact.members[b][0], Likeness::Near { distance, difference })
                }
                (None, None) => continue,
            };
            let n_train = train.len() + near.map_or(0, |(_, n)| n);
            leaks.extend(test.iter().map(|&test| Leak {
                test: self.at(test),
                train: self.at(twin),
                n_train,
                likeness,
            }));
        }
        leaks.sort_by_key(|leak| (leak.likeness != Likeness::Same, leak.test.index));
        leaks
    }

    /// The groups whose images have not all the same label: first those of the same pixels, then
    /// those of near ones, unless one of the former has all the labels already.
    pub(super) fn contradictions(&mut self, max: usize) -> Vec<Group> {
        let labels = |members: &[u32]| {
            let mut labels: Vec<u32> = members.iter().map(|&i| self.at(i).label).collect();
            labels.sort_unstable();
            labels.dedup();
            labels
        };
        let mut same: Vec<_> = (self.exact.members.iter())
            .filter(|members| members.len() > 1 && labels(members).len() > 1)
            .map(|members| self.contradiction(members, true, max))
            .collect();
        let mut groups = self.near.clone();
        let mut near = Vec::new();
        for classes in groups.groups() {
            let members = self.members(&classes);
            let all = labels(&members);
            let in_one = |class: &usize| labels(&self.exact.members[*class]).len() == all.len();
            if all.len() > 1 && !classes.iter().any(in_one) {
                near.push(self.contradiction(&members, false, max));
            }
        }
        largest_first(&mut same);
        largest_first(&mut near);
        same.extend(near);
        same
    }

    /// A group, with the first image of another label as the other.
    fn contradiction(&self, members: &[u32], same_pixels: bool, max: usize) -> Group {
        let first = self.at(members[0]).label;
        let other = members.iter().map(|&i| self.at(i)).find(|image| image.label != first);
        let other = other.expect("a group with more than one label");
        Group { same_pixels, images: self.listed(members, max), other }
    }
}

fn duplicates(mut groups: Vec<Group>, max: usize) -> Duplicates {
    largest_first(&mut groups);
    let n_images = groups.iter().map(|group| group.images.total).sum();
    Duplicates { n_images, groups: Listed::of(groups, max) }
}

fn largest_first(groups: &mut [Group]) {
    groups.sort_by_key(|group| std::cmp::Reverse(group.images.total));
}

#[cfg(test)]
mod tests {
    use super::super::exact;
    use super::*;
    use crate::SplitName;
    use crate::{ImageSet, ImageShape, Splits};

    /// One-pixel images of these bytes and labels.
    fn set(images: &[(u8, u32)]) -> Option<ImageSet> {
        let shape = ImageShape { height: 1, width: 1, channels: 1 };
        let (pixels, labels) = images.iter().copied().unzip();
        ImageSet::new(pixels, shape, labels, ["a", "b", "c"].map(String::from).to_vec()).ok()
    }

    fn near(a: usize, b: usize, difference: f32) -> Pair {
        Pair { a, b, distance: 2, difference }
    }

    #[test]
    fn a_leak_names_the_training_image_most_like_it() {
        // The classes of pixels are 0: [0, 1, 5], 1: [2], 2: [3], 3: [4].
        let train = set(&[(10, 0), (10, 0), (20, 0), (30, 0)]);
        let splits = Splits::new(train, set(&[(40, 0), (10, 1)])).unwrap();
        let images = AllImages::of(&splits);
        let exact = exact::classes(&images);
        let mut found = Found::new(&images, &exact);
        found.add(near(1, 3, 0.05));
        found.add(near(2, 3, 0.01));
        let leaks = found.leaks();
        let at = |split, index, label| ImageRef { split, index, label };
        assert_eq!(
            leaks,
            [
                Leak {
                    test: at(SplitName::Test, 1, 1),
                    train: at(SplitName::Train, 0, 0),
                    n_train: 2,
                    likeness: Likeness::Same,
                },
                Leak {
                    test: at(SplitName::Test, 0, 0),
                    train: at(SplitName::Train, 3, 0),
                    n_train: 2,
                    likeness: Likeness::Near { distance: 2, difference: 0.01 },
                },
            ]
        );
    }

    #[test]
    fn likeness_within_one_set_is_no_leak() {
        let splits = Splits::new(set(&[(1, 0), (1, 0), (2, 0)]), set(&[(3, 0), (3, 0), (4, 0)]));
        let splits = splits.unwrap();
        let images = AllImages::of(&splits);
        let exact = exact::classes(&images);
        let mut found = Found::new(&images, &exact);
        found.add(near(0, 1, 0.0));
        found.add(near(2, 3, 0.0));
        assert_eq!(found.leaks(), []);
        let groups = found.near_groups(2);
        assert_eq!((groups.n_images, groups.groups.total), (6, 2));
        let first = &groups.groups.listed[0];
        assert_eq!((first.images.total, first.images.listed.len()), (3, 2));
        assert_eq!(first.other.index, 2, "the one with other pixels, though it is not listed");
        assert_eq!(found.exact_groups(1).groups.n_more(), 1);
    }

    #[test]
    fn a_contradiction_is_said_once() {
        // Same pixels with labels a and b; near to it a picture called b; two near ones, a and c.
        let train = set(&[(10, 0), (10, 1), (20, 1), (30, 0), (40, 2), (50, 0), (50, 0)]);
        let splits = Splits::new(train, None).unwrap();
        let images = AllImages::of(&splits);
        let exact = exact::classes(&images);
        let mut found = Found::new(&images, &exact);
        found.add(near(0, 1, 0.0));
        found.add(near(2, 3, 0.0));
        let found = found.contradictions(10);
        let members = |group: &Group| group.images.listed.iter().map(|i| i.index).collect();
        let members: Vec<Vec<usize>> = found.iter().map(members).collect();
        assert_eq!(members, [[0, 1], [3, 4]]);
        assert_eq!(found.iter().map(|g| g.same_pixels).collect::<Vec<_>>(), [true, false]);
        // A third label among the near ones is news.
        let mut found = Found::new(&images, &exact);
        found.add(near(0, 3, 0.0));
        let found = found.contradictions(10);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].images.total, found[1].other.label), (3, 1));
    }
}
