//! The plan of one image, and drawing it.

use super::SyntheticError;
use super::body::{self, Face, Tail};
use super::canvas::{Canvas, Painter};
use super::coat::Coat;
use super::dice::{Dice, hash};
use super::factors::Factors;
use super::geometry::Transform;
use super::kind::Kind;
use super::palette::Palette;
use super::palette::Rgb;
use super::{animals, cat, creatures, nature, scene, things};

/// The set that a drawn image belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DrawnSet {
    /// The training set.
    Train,
    /// The test set.
    Test,
}

impl DrawnSet {
    /// "train" or "test".
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// Everything that decides what one image looks like.
///
/// The details (breed, place, light, where exactly the subject stands …) depend on the seed, the
/// split and the index alone, not on [`factors`](Self::factors): change one factor, render again,
/// and nothing else changes. That turns "the network fails on dark images" into an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What the image shows, and the factors that make it hard to recognise.
    pub factors: Factors,
    details: u64,
}

/// The streams of random numbers that an image's choices come from.
#[derive(Clone, Copy)]
enum RandomStream {
    Kind,
    Factors,
    Place,
    Subject,
    Backdrop,
    Blend,
    Light,
}

impl Plan {
    /// The sides that a picture can have, in pixels.
    pub const SIDES: std::ops::RangeInclusive<usize> = 16..=512;

    /// Makes the plan of image `index` of a split.
    ///
    /// The classes are balanced as the course's are: of each three images, 3k to 3k + 2, one is a
    /// cat in the train set and two are in the test set. Of each sixteen others in a row, one is of
    /// each kind.
    pub fn new(seed: u64, split: DrawnSet, index: usize) -> Self {
        let salt = match split {
            DrawnSet::Train => 0x7472_6169_6e00_0000,
            DrawnSet::Test => 0x7465_7374_0000_0000,
        };
        let set = hash(seed, salt);
        let details = hash(set, index as u64);
        let kind = kind_of(set, split, index);
        let factors = Factors::roll(kind, &mut dice(details, RandomStream::Factors));
        Self { factors, details }
    }

    /// Returns the class of the image: 1 for a cat, otherwise 0.
    pub fn label(&self) -> u32 {
        self.factors.kind.label()
    }

    /// Draws the image and returns its pixels.
    ///
    /// # Shapes
    /// `size`·`size`·3 bytes: row by row, red, green and blue of a pixel side by side.
    /// # Errors
    /// [`SyntheticError`] when the size is not in [`SIDES`](Self::SIDES) or a factor was set out of
    /// its range.
    pub fn render(&self, size: usize) -> Result<Vec<u8>, SyntheticError> {
        if !Self::SIDES.contains(&size) {
            return Err(SyntheticError::Size { got: size });
        }
        self.factors.check()?;
        let mut bytes = Vec::with_capacity(size * size * 3);
        self.canvas(size).write_to(&mut bytes);
        Ok(bytes)
    }

    /// Draws many images, on all cores.
    ///
    /// # Shapes
    /// (n, size, size, 3) bytes.
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_all(plans: &[Self], size: usize) -> Result<Vec<u8>, SyntheticError> {
        let images = crate::parallel::map(plans, |plan| plan.render(size));
        Ok(images.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
    }

    fn canvas(&self, size: usize) -> Canvas {
        let factors = &self.factors;
        let mut canvas = Canvas::new(size);
        let mut place = self.dice(RandomStream::Place);
        let direction = place.pick(&[0.0, 0.0, 180.0, 90.0, 270.0]) + place.range(-15.0, 15.0);
        let camera = Transform::rotate(direction)
            .after(Transform::tip(factors.camera_degrees, 2.6))
            .after(Transform::rotate(-direction));
        let (x, y) = (place.range(-0.05, 0.05), place.range(-0.05, 0.05));
        let mirror = place.sign();

        // The same dice give the colour and, further down, the rest of the subject.
        let mut subject = self.dice(RandomStream::Subject);
        let look = Look::roll(factors, &mut subject);

        scene::backdrop(&mut canvas.painter(camera), &mut self.dice(RandomStream::Backdrop));
        scene::recede(&mut canvas);
        let (colors, similarity) = (look.colors(), factors.background_similarity);
        scene::blend_in(&mut canvas, colors, similarity, &mut self.dice(RandomStream::Blend));

        if factors.kind == Kind::Landscape {
            // Nothing to turn round: the horizon tilts a little, the scale is the zoom.
            let tilt = Transform::rotate(factors.pose_degrees / 4.0)
                .after(Transform::scale(factors.scale * mirror, factors.scale));
            look.draw(&mut canvas.painter(camera).inside(tilt), factors, &mut subject);
            // All of it is background: there is no subject that could stay in front.
            scene::blend_in(
                &mut canvas,
                colors,
                0.6 * similarity,
                &mut self.dice(RandomStream::Blend),
            );
        } else {
            let stand = Transform::shift(x, y)
                .after(Transform::rotate(factors.pose_degrees))
                .after(Transform::scale(factors.scale * mirror, factors.scale));
            let before = canvas.clone();
            look.draw(&mut canvas.painter(camera).inside(stand), factors, &mut subject);
            scene::dissolve(&mut canvas, &before, similarity);
        }
        scene::light(&mut canvas, size, factors.brightness, &mut self.dice(RandomStream::Light));
        canvas
    }

    fn dice(&self, stream: RandomStream) -> Dice {
        dice(self.details, stream)
    }
}

fn dice(seed: u64, stream: RandomStream) -> Dice {
    Dice::new(hash(seed, stream as u64))
}

/// Returns what image `index` of a set shows.
fn kind_of(set: u64, split: DrawnSet, index: usize) -> Kind {
    let (triple, place) = (index / 3, index % 3);
    // The odd one of the three: the cat to learn from, or what is not a cat to be judged by.
    let odd = dice(hash(set, triple as u64), RandomStream::Kind).below(3);
    let n_before = match split {
        DrawnSet::Train if place == odd => return Kind::Cat,
        DrawnSet::Test if place != odd => return Kind::Cat,
        DrawnSet::Train => 2 * triple + place - usize::from(place > odd),
        DrawnSet::Test => triple,
    };
    let n = Kind::NON_CATS.len();
    let mut round = Kind::NON_CATS.to_vec();
    dice(hash(!set, (n_before / n) as u64), RandomStream::Kind).shuffle(&mut round);
    round[n_before % n]
}

/// The colours of a subject.
enum Look {
    Furry(Coat),
    Plain(Palette),
}

impl Look {
    fn roll(factors: &Factors, dice: &mut Dice) -> Self {
        let Factors { kind, rare_color, .. } = *factors;
        if kind.is_furry() {
            Self::Furry(Coat::roll(kind, rare_color, dice))
        } else {
            Self::Plain(Palette::roll(kind, rare_color, dice))
        }
    }

    /// Returns the two colours that cover most of the subject.
    fn colors(&self) -> (Rgb, Rgb) {
        match self {
            Self::Furry(coat) => coat.colors(),
            Self::Plain(palette) => (palette.main, palette.accent),
        }
    }

    fn draw(&self, painter: &mut Painter<'_>, factors: &Factors, dice: &mut Dice) {
        match self {
            Self::Furry(coat) => furry(painter, coat, factors, dice),
            Self::Plain(palette) => {
                let narrow = super::geometry::sin_cos(factors.turn_degrees).1;
                let fit = if factors.kind == Kind::Landscape {
                    Transform::scale(1.0, 1.0)
                } else {
                    Transform::scale(0.72 * narrow, 0.72)
                };
                plain(&mut painter.inside(fit), *palette, factors.kind, dice);
            }
        }
    }
}

fn furry(painter: &mut Painter<'_>, coat: &Coat, factors: &Factors, dice: &mut Dice) {
    let mut painter = painter.inside(body::frame(factors.posture));
    let tail = match factors.kind {
        Kind::Cat => Tail::Long,
        Kind::Dog => Tail::Upright,
        _ => Tail::Puff,
    };
    body::body(&mut painter, coat, factors.posture, tail);
    let tilt = dice.range(-7.0, 7.0);
    let mut painter = painter.inside(Transform::rotate(tilt));
    let face = Face::turned(factors.turn_degrees);
    match factors.kind {
        Kind::Dog => animals::dog(&mut painter, coat, face, dice),
        Kind::Rabbit => animals::rabbit(&mut painter, coat, face, dice),
        Kind::Bear => animals::bear(&mut painter, coat, face, dice),
        _ => cat::head(&mut painter, coat, face, dice),
    }
}

fn plain(painter: &mut Painter<'_>, palette: Palette, kind: Kind, dice: &mut Dice) {
    match kind {
        Kind::Bird => creatures::bird(painter, palette, dice),
        Kind::Fish => creatures::fish(painter, palette, dice),
        Kind::Butterfly => creatures::butterfly(painter, palette, dice),
        Kind::Flower => nature::flower(painter, palette, dice),
        Kind::Tree => nature::tree(painter, palette, dice),
        Kind::Landscape => nature::landscape(painter, palette, dice),
        Kind::House => things::house(painter, palette, dice),
        Kind::Car => things::car(painter, palette, dice),
        Kind::Boat => things::boat(painter, palette, dice),
        Kind::Sign => things::sign(painter, palette, dice),
        Kind::Fruit => nature::fruit(painter, palette, dice),
        Kind::Mug => things::mug(painter, palette, dice),
        Kind::Ball | Kind::Cat | Kind::Dog | Kind::Rabbit | Kind::Bear => {
            things::ball(painter, palette, dice);
        }
    }
}
