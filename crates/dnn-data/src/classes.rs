//! The classes of labels: named by a source, by the labels themselves, or by their indices.

use crate::{DataError, ImageSet, Shown};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// The labels of one set, as its source has them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Labels {
    /// Class indices.
    Indices(Vec<u32>),
    /// Names of classes.
    Names(Vec<String>),
}

impl Labels {
    /// Takes words as class indices when all of them are whole numbers from 0, and as names
    /// otherwise.
    pub(crate) fn of_words(words: Vec<String>) -> Self {
        let index = |word: &String| word.trim().parse::<u32>().ok();
        match words.iter().map(index).collect::<Option<Vec<u32>>>() {
            Some(indices) => Self::Indices(indices),
            None => Self::Names(words),
        }
    }
}

/// Returns the names "0", "1" … of `n` classes that are called by their indices.
pub fn numbered(n: usize) -> Vec<String> {
    (0..n).map(|class| class.to_string()).collect()
}

/// Returns whether classes are called by their indices: "0", "1" and so on.
pub fn are_numbered(classes: &[String]) -> bool {
    classes.iter().enumerate().all(|(i, name)| *name == i.to_string())
}

/// Returns the labels of several sets as class indices, and the names of the classes that the sets
/// have in common.
///
/// Names that the source gives are taken as they are. Otherwise the names among the labels are
/// sorted; where labels are indices, classes are called "0", "1" … up to the largest index of all
/// sets, and there are two at least.
///
/// # Errors
/// The first label that cannot be one: the set that it is in, its index there, what was expected
/// and what it is.
pub(crate) fn resolve(
    sets: Vec<Labels>,
    named: Option<Vec<String>>,
    max_classes: u32,
) -> Result<(Vec<Vec<u32>>, Vec<String>), BadLabel> {
    let named = named.map_or_else(|| names_of(&sets), |named| Ok(Some(named)))?;
    let classes = if let Some(classes) = named {
        classes
    } else {
        let largest = sets.iter().filter_map(|set| match set {
            Labels::Indices(labels) => labels.iter().max().copied(),
            Labels::Names(_) => None,
        });
        let largest = largest.max().unwrap_or(0);
        if largest >= max_classes {
            return Err(first_index_from(&sets, max_classes));
        }
        numbered((largest as usize + 1).max(2))
    };
    if classes.len() > max_classes as usize {
        return Err(BadLabel {
            set: 0,
            index: 0,
            expected: format!("{max_classes} classes at most"),
            got: format!("{} different ones", classes.len()),
        });
    }
    let by_name: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let mut indices = Vec::new();
    for (set, labels) in sets.into_iter().enumerate() {
        indices.push(match labels {
            Labels::Indices(labels) => {
                let beyond = labels.iter().position(|&label| label as usize >= classes.len());
                if let Some(index) = beyond {
                    let expected = format!("a class index from 0 to {}", classes.len() - 1);
                    let got = labels[index].to_string();
                    return Err(BadLabel { set, index, expected, got });
                }
                labels
            }
            Labels::Names(labels) => {
                let find = |(index, name): (usize, &String)| {
                    by_name.get(name.as_str()).copied().ok_or_else(|| BadLabel {
                        set,
                        index,
                        expected: format!("one of the classes {}", listed(&classes)),
                        got: format!("{name:?}"),
                    })
                };
                labels.iter().enumerate().map(find).collect::<Result<_, _>>()?
            }
        });
    }
    drop(by_name);
    Ok((indices, classes))
}

/// Returns the error about the first index that is not below `max_classes`.
fn first_index_from(sets: &[Labels], max_classes: u32) -> BadLabel {
    let in_set = |(set, labels): (usize, &Labels)| {
        let Labels::Indices(labels) = labels else { return None };
        let index = labels.iter().position(|&label| label >= max_classes)?;
        Some((set, index, labels[index]))
    };
    let (set, index, label) = sets.iter().enumerate().find_map(in_set).unwrap_or_default();
    let expected = format!("a class index below {max_classes}");
    BadLabel { set, index, expected, got: label.to_string() }
}

/// Returns the sorted names of the classes that labels name; `None` when all labels are indices.
fn names_of(sets: &[Labels]) -> Result<Option<Vec<String>>, BadLabel> {
    let mut names = BTreeSet::new();
    let mut any_indices = None;
    for (set, labels) in sets.iter().enumerate() {
        match labels {
            Labels::Indices(_) => any_indices = Some(set),
            Labels::Names(labels) => {
                for (index, name) in labels.iter().enumerate() {
                    if name.is_empty() {
                        let expected = "the name of a class".into();
                        return Err(BadLabel { set, index, expected, got: "nothing".into() });
                    }
                    names.insert(name.as_str());
                }
            }
        }
    }
    if names.is_empty() {
        return Ok(None);
    }
    if let Some(set) = any_indices {
        let expected = "names of classes, as in the other set".into();
        return Err(BadLabel { set, index: 0, expected, got: "a number".into() });
    }
    Ok(Some(names.into_iter().map(String::from).collect()))
}

/// A label that is no class, and why.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BadLabel {
    /// Index of the set that the label is in.
    pub(crate) set: usize,
    /// Index of the label in its set.
    pub(crate) index: usize,
    pub(crate) expected: String,
    pub(crate) got: String,
}

/// Returns the classes that sets which were read separately have in common. Sets whose classes are
/// called by their indices take the names, and the number, of the others.
///
/// # Errors
/// [`DataError::Mismatch`] when two sets name their classes differently.
pub fn shared(sets: Vec<Vec<String>>) -> Result<Vec<String>, DataError> {
    let mut shared: Vec<String> = Vec::new();
    for classes in sets {
        let (more, fewer) =
            if classes.len() > shared.len() || !are_numbered(&classes) && are_numbered(&shared) {
                (classes, shared)
            } else {
                (shared, classes)
            };
        if !are_numbered(&fewer) && fewer != more || fewer.len() > more.len() {
            return Err(DataError::Mismatch {
                what: "classes of the splits".into(),
                expected: "the same ones".into(),
                got: format!("{} and {}", listed(&more), listed(&fewer)),
            });
        }
        shared = more;
    }
    Ok(shared)
}

/// Lists the first names of the classes, few enough for a message to stay one line.
pub(crate) fn listed(classes: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<_> = classes.iter().take(SHOWN).map(|class| class.shown()).collect();
    let shown = shown.join(", ");
    if classes.len() > SHOWN { format!("{shown}, … ({} in all)", classes.len()) } else { shown }
}

/// Checks that there are classes to tell apart in the training set of `data`.
///
/// # Errors
/// [`DataError::Mismatch`] when there is only one class, with the likely cause.
pub fn check_classes(data: &Path, classes: &[String]) -> Result<(), DataError> {
    let [class] = classes else { return Ok(()) };
    Err(DataError::Mismatch {
        what: format!("classes of {}", data.shown()),
        expected: "two or more to tell apart".into(),
        got: format!(
            "only {} (are the folders of the classes one level deeper, or the labels somewhere else?)",
            class.shown()
        ),
    })
}

/// Returns other names for classes, and the index that each class has among them: classes that get the same name
/// are merged.
///
/// # Errors
/// [`DataError::Mismatch`] when a class to rename is not there.
pub(crate) fn renamed(
    classes: &[String],
    names: &BTreeMap<String, String>,
) -> Result<(Vec<String>, Vec<u32>), DataError> {
    if let Some(unknown) = names.keys().find(|name| !classes.contains(name)) {
        return Err(DataError::Mismatch {
            what: "class to rename".into(),
            expected: listed(classes),
            got: unknown.shown().into_owned(),
        });
    }
    let mut merged: Vec<String> = Vec::new();
    let mut map = Vec::new();
    for class in classes {
        let name = names.get(class).unwrap_or(class);
        let known = merged.iter().position(|other| other == name);
        map.push(known.unwrap_or(merged.len()) as u32);
        if known.is_none() {
            merged.push(name.clone());
        }
    }
    Ok((merged, map))
}

/// Returns the labels of other classes, of which `map` has the index for each class of `labels`.
///
/// # Panics
/// When `map` has no entry for a label, or leads to a class that does not exist.
pub(crate) fn mapped(labels: &[u32], classes: &[String], map: &[u32]) -> Vec<u32> {
    let labels: Vec<_> = labels.iter().map(|&label| map[label as usize]).collect();
    assert!(labels.iter().all(|&label| (label as usize) < classes.len()), "a class for each");
    labels
}

/// Returns the images with the class indices of a network, matched by name.
///
/// A set without class names is accepted when it has at most as many classes as the network.
///
/// # Errors
/// [`DataError::Mismatch`] when the network does not have a class of the images, or when the images'
/// classes have names and the network's have none.
pub fn match_classes(set: ImageSet, network: &[String]) -> Result<ImageSet, DataError> {
    let own = set.classes();
    if own == network {
        return Ok(set);
    }
    let refuse = |got: String| {
        Err(DataError::Mismatch {
            what: "classes of the images".into(),
            expected: format!("those of the network, {}", listed(network)),
            got: format!("{got} (--class-map OWN=NETWORK'S,… says which is which)"),
        })
    };
    if are_numbered(own) {
        if own.len() > network.len() {
            return refuse(format!("{} classes", own.len()));
        }
        let map: Vec<u32> = (0..own.len() as u32).collect();
        return Ok(set.with_classes(network.to_vec(), &map));
    }
    let place = |class: &String| network.iter().position(|other| other == class);
    let map: Option<Vec<u32>> = own.iter().map(|c| place(c).map(|at| at as u32)).collect();
    match map {
        Some(map) => Ok(set.with_classes(network.to_vec(), &map)),
        None => refuse(listed(own)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageShape;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().copied().map(String::from).collect()
    }

    #[test]
    fn indices_take_the_names_of_others() {
        let shared = |sets: &[&[&str]]| super::shared(sets.iter().map(|set| words(set)).collect());
        for sets in [&[&["0", "1"][..], &["a", "b", "c"]][..], &[&["a", "b", "c"], &["0", "1"]]] {
            assert_eq!(shared(sets).expect("alike"), ["a", "b", "c"]);
        }
        assert_eq!(shared(&[&["0", "1"], &["0", "1", "2"]]).expect("alike"), ["0", "1", "2"]);
        assert!(shared(&[&["a", "b"], &["a", "c"]]).is_err());
        assert!(shared(&[&["a", "b"], &["0", "1", "2"]]).is_err());
    }

    #[test]
    fn names_among_the_labels_of_any_set_are_classes() {
        let sets = || vec![Labels::Names(words(&["b", "a"])), Labels::Names(words(&["c"]))];
        let (labels, classes) = resolve(sets(), None, 9).expect("names");
        assert_eq!((labels, classes), (vec![vec![1, 0], vec![2]], words(&["a", "b", "c"])));
        assert_eq!(resolve(sets(), Some(words(&["c", "a"])), 9).expect_err("b").index, 0);
        assert!(resolve(sets(), None, 2).is_err());
        let mixed = vec![Labels::Indices(vec![0]), Labels::Names(words(&["c"]))];
        assert_eq!(resolve(mixed, None, 9).expect_err("a number").set, 0);
        let (_, classes) =
            resolve(vec![Labels::of_words(words(&["0", "2"]))], None, 9).expect("ok");
        assert_eq!(classes, ["0", "1", "2"]);
        assert!(resolve(vec![Labels::Indices(vec![u32::MAX])], None, 9).is_err());
        assert_eq!(resolve(vec![Labels::Indices(vec![0])], None, 9).expect("one").1.len(), 2);
    }

    fn set(classes: &[&str]) -> ImageSet {
        let shape = ImageShape { height: 1, width: 1, channels: 1 };
        let classes: Vec<String> = classes.iter().copied().map(String::from).collect();
        let labels: Vec<u32> = (0..classes.len() as u32).collect();
        ImageSet::new(vec![0; labels.len()], shape, labels, classes).expect("sound")
    }

    #[test]
    fn classes_are_matched_by_their_names() {
        let network = words(&["non-cat", "cat"]);
        let matched = |classes: &[&str]| match_classes(set(classes), &network);
        let other_order = matched(&["cat", "non-cat"]).expect("the same");
        assert_eq!((other_order.labels(), other_order.classes()), (&[1, 0][..], &network[..]));
        assert_eq!(matched(&["0", "1"]).expect("no names").labels(), [0, 1]);
        assert!(matched(&["0", "1", "2"]).is_err());
        let error = matched(&["cats", "dogs"]).expect_err("others").to_string();
        assert!(error.contains("got cats, dogs (--class-map"), "{error}");
        assert!(match_classes(set(&["cat", "dog"]), &words(&["0", "1"])).is_err());
    }

    #[test]
    fn classes_are_renamed_and_merged() {
        let map = BTreeMap::from(
            [("dog", "non-cat"), ("horse", "non-cat")].map(|(a, b)| (a.to_owned(), b.to_owned())),
        );
        let (classes, indices) = renamed(&words(&["dog", "cat", "horse"]), &map).expect("known");
        assert_eq!(classes, words(&["non-cat", "cat"]));
        assert_eq!(indices, [0, 1, 0]);
        assert_eq!(mapped(&[2, 1, 1, 0], &classes, &indices), [0, 1, 1, 0]);
        assert!(renamed(&classes, &map).is_err());
    }
}
