//! All sentences as a net of phones: trees of words, in each place a tree of the phones of the words that may follow, and one tree for each class of words,
//! however many places it may stand in. 5,000 contacts are in it once.

use std::collections::{BTreeMap, VecDeque};

use crate::phones::{Phone, Pronunciation};
use crate::ways::{Part, Ways};

/// Of the logarithm of the number of texts of a class, what one of them costs: who knows many people hears a name in anything.
const CLASS_COSTS: f32 = 0.3;
/// What one more text of a class that repeats costs.
const REPEAT_COSTS: f32 = 2.0;
/// What it costs to say something before a sentence, and behind: people do it, but what is left of a wake phrase sounds like it too.
const LEAD_COSTS: f32 = 2.5;
const TRAIL_COSTS: f32 = 1.0;
/// Where nothing is.
pub const NONE: u32 = u32::MAX;

/// A phone in its place.
#[derive(Clone, Copy)]
pub struct Node {
    /// Which.
    pub phone: Phone,
    /// The one before it in the word.
    pub parent: u32,
    children: (u32, u16),
    exits: (u32, u16),
}

/// The end of a word.
#[derive(Clone, Copy)]
pub struct Exit {
    /// Number of the word.
    pub word: u32,
    /// Where it leads.
    pub to: u32,
}

/// Between words.
#[derive(Clone, Default)]
pub struct Place {
    roots: (u32, u16),
    /// Places that one is in as well, and what that costs.
    pub jumps: Vec<(u32, f32)>,
    /// Classes that may stand here: where they begin, where one comes out, and what that costs.
    pub calls: Vec<(u32, u32, f32)>,
    /// The end of a class.
    pub returns: bool,
    /// Whether a pause makes sense here.
    pub waits: bool,
}

/// See the top.
pub struct Network {
    nodes: Vec<Node>,
    children: Vec<u32>,
    exits: Vec<Exit>,
    places: Vec<Place>,
    words: Vec<String>,
}

/// The place in which everything begins.
pub const START: u32 = 0;
/// The place in which it is over.
pub const END: u32 = 1;

impl Network {
    /// All ways to say something, perhaps after a wake phrase, of which the text is not told. What has a word that cannot be said is left out.
    pub fn new(ways: &Ways, wakes: &[String], pronounce: impl FnMut(&str) -> Vec<Pronunciation>) -> Self {
        let mut it = Draft::new(pronounce);
        let classes: Vec<(u32, f32)> = ways.classes.iter().map(|class| it.class(&class.texts, class.repeats)).collect();
        let woken = it.place();
        for wake in wakes {
            let words: Option<Vec<u32>> = wake.split_whitespace().map(|word| it.silent(word)).collect();
            it.line(START, words, woken, 0.0);
        }
        for framed in &ways.framed {
            let first = it.place();
            it.places[START as usize].jumps.push((first, 0.0));
            it.places[woken as usize].jumps.push((first, 0.0));
            let mut at = first;
            for lead in &framed.leads {
                let next = it.place();
                it.jump(at, next, 0.0);
                lead.iter().for_each(|text| it.text(at, text, next, LEAD_COSTS));
                at = next;
            }
            let behind = it.place();
            it.jump(behind, END, 0.0);
            framed.trails.iter().for_each(|text| it.text(behind, text, END, TRAIL_COSTS));
            for sentence in &framed.sentences {
                it.sentence(at, sentence, &classes, behind);
            }
        }
        it.places[END as usize].waits = true;
        it.join_ends();
        it.finish()
    }

    /// How many phones there are.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len()
    }

    /// How many places there are between words.
    pub fn n_places(&self) -> usize {
        self.places.len()
    }

    /// A phone.
    pub fn node(&self, at: u32) -> &Node {
        &self.nodes[at as usize]
    }

    /// A place.
    pub fn at(&self, place: u32) -> &Place {
        &self.places[place as usize]
    }

    /// The phones that may follow a phone in its word.
    pub fn children(&self, at: &Node) -> &[u32] {
        &self.children[at.children.0 as usize..][..at.children.1.into()]
    }

    /// The words that end with a phone.
    pub fn exits(&self, at: &Node) -> &[Exit] {
        &self.exits[at.exits.0 as usize..][..at.exits.1.into()]
    }

    /// The first phones of the words that may follow.
    pub fn roots(&self, at: &Place) -> &[u32] {
        &self.children[at.roots.0 as usize..][..at.roots.1.into()]
    }

    /// A word; empty where it is not told.
    pub fn word(&self, word: u32) -> &str {
        &self.words[word as usize]
    }

    /// The phones of the word that ends there.
    pub fn phones(&self, mut end: u32) -> Pronunciation {
        let mut phones = Pronunciation::new();
        while end != NONE {
            phones.push(self.nodes[end as usize].phone);
            end = self.nodes[end as usize].parent;
        }
        phones.reverse();
        phones
    }
}

/// A place with the words that follow it.
#[derive(Default)]
struct Words {
    next: BTreeMap<u32, u32>,
    calls: BTreeMap<u32, (u32, f32)>,
    jumps: Vec<(u32, f32)>,
    returns: bool,
    waits: bool,
}

struct Draft<P> {
    pronounce: P,
    places: Vec<Words>,
    words: Vec<String>,
    said: Vec<Vec<Pronunciation>>,
    known: BTreeMap<(String, bool), Option<u32>>,
}

impl<P: FnMut(&str) -> Vec<Pronunciation>> Draft<P> {
    fn new(pronounce: P) -> Self {
        let places = vec![Words { waits: true, ..Words::default() }, Words::default()];
        Self { pronounce, places, words: Vec::new(), said: Vec::new(), known: BTreeMap::new() }
    }

    fn place(&mut self) -> u32 {
        self.places.push(Words::default());
        self.places.len() as u32 - 1
    }

    /// The number of a word; `None` where it cannot be said.
    fn word(&mut self, word: &str) -> Option<u32> {
        self.told(word, true)
    }

    fn silent(&mut self, word: &str) -> Option<u32> {
        self.told(word, false)
    }

    fn told(&mut self, word: &str, told: bool) -> Option<u32> {
        if let Some(known) = self.known.get(&(word.to_owned(), told)) {
            return *known;
        }
        let mut said = (self.pronounce)(word);
        said.retain(|it| !it.is_empty());
        let number = (!said.is_empty()).then_some(self.words.len() as u32);
        if number.is_some() {
            self.words.push(if told { word.to_owned() } else { String::new() });
            self.said.push(said);
        }
        self.known.insert((word.to_owned(), told), number);
        number
    }

    fn jump(&mut self, from: u32, to: u32, costs: f32) {
        let jumps = &mut self.places[from as usize].jumps;
        if from != to && !jumps.iter().any(|it| it.0 == to) {
            jumps.push((to, costs));
        }
    }

    fn step(&mut self, at: u32, word: u32) -> u32 {
        if let Some(next) = self.places[at as usize].next.get(&word) {
            return *next;
        }
        let next = self.place();
        self.places[at as usize].next.insert(word, next);
        next
    }

    fn line(&mut self, from: u32, words: Option<Vec<u32>>, to: u32, costs: f32) {
        let Some(words) = words.filter(|it| !it.is_empty()) else { return };
        let end = words.into_iter().fold(from, |at, word| self.step(at, word));
        self.jump(end, to, costs);
    }

    fn text(&mut self, from: u32, text: &str, to: u32, costs: f32) {
        let words = text.split_whitespace().map(|it| self.word(it)).collect();
        self.line(from, words, to, costs);
    }

    /// Where a class begins, and what it costs.
    fn class(&mut self, texts: &[String], repeats: bool) -> (u32, f32) {
        let begin = self.place();
        self.places[begin as usize].waits = true;
        let end = self.place();
        self.places[end as usize].returns = true;
        if repeats {
            self.places[end as usize].jumps.push((begin, REPEAT_COSTS));
        }
        texts.iter().for_each(|it| self.text(begin, it, end, 0.0));
        (begin, CLASS_COSTS * (texts.len().max(1) as f32).ln())
    }

    fn sentence(&mut self, from: u32, parts: &[Part], classes: &[(u32, f32)], to: u32) {
        let words: Vec<Option<u32>> = parts
            .iter()
            .map(|it| match it {
                Part::Word(word) => self.word(word),
                Part::Class(n) => classes.get(*n).filter(|it| !self.places[it.0 as usize].next.is_empty()).map(|_| NONE),
            })
            .collect();
        if parts.is_empty() || words.contains(&None) {
            return;
        }
        let mut at = from;
        for (part, word) in parts.iter().zip(words) {
            at = match (part, word) {
                (Part::Class(n), _) => {
                    let (class, cost) = classes[*n];
                    match self.places[at as usize].calls.get(&class) {
                        Some((next, _)) => *next,
                        None => {
                            let next = self.place();
                            self.places[at as usize].calls.insert(class, (next, cost));
                            next
                        }
                    }
                }
                (_, Some(word)) => self.step(at, word),
                (_, None) => at,
            };
        }
        self.jump(at, to, 0.0);
    }

    /// Ends that lead to the same are one.
    fn join_ends(&mut self) {
        let mut first: BTreeMap<(Vec<u32>, bool), u32> = BTreeMap::new();
        let mut stands: Vec<u32> = (0..self.places.len() as u32).collect();
        for (at, place) in self.places.iter().enumerate().skip(2) {
            if place.next.is_empty() && place.calls.is_empty() && !place.waits && place.jumps.iter().all(|it| it.1 == 0.0) {
                let leads = (place.jumps.iter().map(|it| it.0).collect(), place.returns);
                stands[at] = *first.entry(leads).or_insert(at as u32);
            }
        }
        for place in &mut self.places {
            place.next.values_mut().for_each(|it| *it = stands[*it as usize]);
            place.calls.values_mut().for_each(|it| it.0 = stands[it.0 as usize]);
            place.waits |= !place.next.is_empty() || !place.calls.is_empty();
        }
    }

    fn finish(self) -> Network {
        let mut it =
            Network { nodes: Vec::new(), children: Vec::new(), exits: Vec::new(), places: Vec::new(), words: self.words };
        for place in self.places {
            let mut tree = Tree::default();
            for (word, to) in &place.next {
                for way in &self.said[*word as usize] {
                    tree.add(way, Exit { word: *word, to: *to });
                }
            }
            let roots = tree.lay(&mut it);
            let calls = place.calls.into_iter().map(|(class, (back, cost))| (class, back, cost)).collect();
            it.places.push(Place { roots, jumps: place.jumps, calls, returns: place.returns, waits: place.waits });
        }
        it
    }
}

/// A tree of phones.
#[derive(Default)]
struct Tree {
    next: BTreeMap<Phone, Tree>,
    exits: Vec<Exit>,
}

impl Tree {
    fn add(&mut self, phones: &[Phone], exit: Exit) {
        match phones.split_first() {
            Some((first, rest)) => self.next.entry(*first).or_default().add(rest, exit),
            None => self.exits.push(exit),
        }
    }

    /// Adds its nodes to the net, those that follow the same one beside each other; tells where the first are listed.
    fn lay(&self, net: &mut Network) -> (u32, u16) {
        let mut waiting = VecDeque::from([(self, NONE)]);
        let mut first = (0, 0);
        while let Some((tree, parent)) = waiting.pop_front() {
            let children = (net.children.len() as u32, tree.next.len() as u16);
            for (phone, below) in &tree.next {
                let exits = (net.exits.len() as u32, below.exits.len() as u16);
                net.exits.extend(&below.exits);
                let at = net.nodes.len() as u32;
                net.nodes.push(Node { phone: *phone, parent, children: (0, 0), exits });
                net.children.push(at);
                waiting.push_back((below, at));
            }
            match parent {
                NONE => first = children,
                _ => net.nodes[parent as usize].children = children,
            }
        }
        first
    }
}
