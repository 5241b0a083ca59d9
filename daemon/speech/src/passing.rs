//! Token passing: follows all sentences of a net through the outputs of the network at once, and keeps the likeliest.
//!
//! What a token is worth is the logarithm of how much more likely its words are than whatever else may have been said in the same time, as the free loop of
//! phones has it. In every place the best few tokens with different words live on.

use std::sync::Arc;

use crate::network::{END, NONE, Network, START};
use crate::phone_loop::SILENCE;
use crate::phones::Pronunciation;

/// Tokens with different words in the same place.
const WIDTH: usize = 4;
/// Sentences that are kept after they were said.
const WHOLE: usize = 12;
/// What is worse than the best by more than this is given up.
const BEAM: f32 = 35.0;
/// Phones that are followed at once.
const MOST: usize = 4_000;
/// What a pause between words costs.
const PAUSE_COSTS: f32 = 1.0;
/// Words that may be remembered before those are forgotten that no token goes back to.
const RECORDS: usize = 40_000;

#[derive(Clone, Copy)]
struct Token {
    worth: f32,
    /// The last word.
    record: u32,
    /// Of the words so far.
    key: u32,
    /// Where it goes on after the class that it is in.
    site: u32,
}

/// A word that was said.
#[derive(Clone, Copy)]
struct Record {
    before: u32,
    word: u32,
    /// Its last phone.
    node: u32,
    /// The frame after its end.
    end: i64,
}

#[derive(Clone, Copy)]
struct State {
    id: u32,
    n: u8,
    tokens: [Token; WIDTH],
}

/// States by their number.
#[derive(Clone)]
struct Table {
    slots: Vec<u32>,
    states: Vec<State>,
}

impl Table {
    fn new(n: usize) -> Self {
        Self { slots: vec![NONE; n], states: Vec::new() }
    }

    fn clear(&mut self) {
        for state in &self.states {
            self.slots[state.id as usize] = NONE;
        }
        self.states.clear();
    }

    /// Whether the token is among the best there now.
    fn offer(&mut self, id: u32, token: Token) -> bool {
        let slot = self.slots[id as usize];
        if slot == NONE {
            self.slots[id as usize] = self.states.len() as u32;
            self.states.push(State { id, n: 1, tokens: [token; WIDTH] });
            return true;
        }
        let state = &mut self.states[slot as usize];
        let tokens = &mut state.tokens[..state.n.into()];
        if let Some(same) = tokens.iter_mut().find(|it| it.key == token.key && it.site == token.site) {
            let better = token.worth > same.worth;
            if better {
                *same = token;
            }
            return better;
        }
        if usize::from(state.n) < WIDTH {
            state.tokens[usize::from(state.n)] = token;
            state.n += 1;
            return true;
        }
        let worst = tokens.iter_mut().min_by(|a, b| a.worth.total_cmp(&b.worth)).filter(|it| it.worth < token.worth);
        worst.map(|it| *it = token).is_some()
    }

    fn takes(&self, id: u32, worth: f32) -> bool {
        let slot = self.slots[id as usize];
        slot == NONE || {
            let state = &self.states[slot as usize];
            usize::from(state.n) < WIDTH || state.tokens.iter().any(|it| it.worth < worth)
        }
    }

    fn of(&self, id: u32) -> &[Token] {
        match self.slots[id as usize] {
            NONE => &[],
            slot => {
                let state = &self.states[slot as usize];
                &state.tokens[..state.n.into()]
            }
        }
    }
}

impl State {
    fn best(&self) -> f32 {
        self.tokens[..self.n.into()].iter().map(|it| it.worth).fold(f32::NEG_INFINITY, f32::max)
    }
}

/// A sentence that may have been said.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Its words.
    pub text: String,
    /// How much more likely it is than anything else, in nats.
    pub worth: f32,
    /// The frame after its last phone.
    pub end: i64,
    /// The phones of each word, those of a wake phrase before it too.
    pub phones: Vec<Pronunciation>,
}

/// See the top.
#[derive(Clone)]
pub struct Passing {
    network: Arc<Network>,
    /// Phones, and pauses behind them.
    now: Table,
    before: Table,
    /// Places between words.
    here: Table,
    /// What was said whole, and then nothing.
    whole: Vec<Token>,
    records: Vec<Record>,
    best: f32,
}

impl Passing {
    /// Nothing said yet.
    pub fn new(network: Arc<Network>) -> Self {
        let (n, places) = (network.n_nodes() + network.n_places(), network.n_places());
        Self {
            now: Table::new(n),
            before: Table::new(n),
            here: Table::new(places),
            whole: Vec::new(),
            records: Vec::new(),
            best: f32::NEG_INFINITY,
            network,
        }
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.now.clear();
        self.here.clear();
        self.whole.clear();
        self.records.clear();
        self.best = f32::NEG_INFINITY;
    }

    /// How many phones are followed.
    pub fn n_active(&self) -> usize {
        self.now.states.len()
    }

    /// Takes the outputs of frame `at`, in which everything has grown by `grown`; whether something may begin with it, and what that costs.
    pub fn step(&mut self, at: i64, outputs: &[f32], grown: f32, begins: Option<f32>) {
        let network = self.network.clone();
        let n_nodes = network.n_nodes() as u32;
        if let Some(costs) = begins {
            self.arrive(&network, START, Token { worth: -costs, record: NONE, key: 0, site: NONE });
        }
        let least = self.best - BEAM;
        std::mem::swap(&mut self.now, &mut self.before);
        self.now.clear();
        let gain = |phone: usize, begins: bool| outputs[2 * phone + usize::from(!begins)] - grown;
        for state in &self.before.states {
            let tokens = || state.tokens[..state.n.into()].iter().filter(|it| it.worth >= least);
            if state.id >= n_nodes {
                let stays = gain(SILENCE, false);
                tokens().for_each(|it| _ = self.now.offer(state.id, Token { worth: it.worth + stays, ..*it }));
                continue;
            }
            let node = network.node(state.id);
            let stays = gain(node.phone.into(), false);
            tokens().for_each(|it| _ = self.now.offer(state.id, Token { worth: it.worth + stays, ..*it }));
            for child in network.children(node) {
                let enters = gain(network.node(*child).phone.into(), true);
                tokens().for_each(|it| _ = self.now.offer(*child, Token { worth: it.worth + enters, ..*it }));
            }
        }
        for state in &self.here.states {
            let place = network.at(state.id);
            let tokens = || state.tokens[..state.n.into()].iter().filter(|it| it.worth >= least);
            for root in network.roots(place) {
                let enters = gain(network.node(*root).phone.into(), true);
                tokens().for_each(|it| _ = self.now.offer(*root, Token { worth: it.worth + enters, ..*it }));
            }
            if place.waits && state.id != END {
                let enters = gain(SILENCE, true) - PAUSE_COSTS;
                tokens().for_each(|it| _ = self.now.offer(n_nodes + state.id, Token { worth: it.worth + enters, ..*it }));
            }
        }
        let (stays, enters) = (gain(SILENCE, false), gain(SILENCE, true));
        self.whole.iter_mut().for_each(|it| it.worth += stays);
        for token in self.here.of(END) {
            keep(&mut self.whole, Token { worth: token.worth + enters, ..*token });
        }
        self.prune();
        self.turn(&network, at + 1);
        if self.records.len() > RECORDS {
            self.compact();
        }
    }

    fn prune(&mut self) {
        let states = &self.now.states;
        let whole = self.whole.iter().map(|it| it.worth);
        self.best = states.iter().map(State::best).chain(whole).fold(f32::NEG_INFINITY, f32::max);
        if states.len() > MOST {
            let mut worths: Vec<f32> = states.iter().map(State::best).collect();
            let (_, nth, _) = worths.select_nth_unstable_by(MOST, |a, b| b.total_cmp(a));
            // The next step takes nothing below.
            let least = *nth;
            for state in &mut self.now.states {
                let n = usize::from(state.n);
                state.tokens[..n].iter_mut().filter(|it| it.worth < least).for_each(|it| it.worth = f32::NEG_INFINITY);
            }
        }
    }

    /// Words that end go to the places behind them.
    fn turn(&mut self, network: &Network, end: i64) {
        let n_nodes = network.n_nodes() as u32;
        let least = self.best - BEAM;
        self.here.clear();
        let states = std::mem::take(&mut self.now.states);
        for state in &states {
            for token in state.tokens[..state.n.into()].iter().filter(|it| it.worth >= least) {
                if state.id >= n_nodes {
                    self.arrive(network, state.id - n_nodes, *token);
                    continue;
                }
                for exit in network.exits(network.node(state.id)) {
                    if !self.here.takes(exit.to, token.worth) {
                        continue;
                    }
                    let silent = network.word(exit.word).is_empty();
                    let key = if silent { token.key } else { mixed(token.key, exit.word) };
                    let record = self.records.len() as u32;
                    self.records.push(Record { before: token.record, word: exit.word, node: state.id, end });
                    self.arrive(network, exit.to, Token { record, key, ..*token });
                }
            }
        }
        self.now.states = states;
    }

    /// A token comes to a place, and to all that one is in as well.
    fn arrive(&mut self, network: &Network, place: u32, token: Token) {
        if !self.here.offer(place, token) {
            return;
        }
        let it = network.at(place);
        for (to, costs) in &it.jumps {
            self.arrive(network, *to, Token { worth: token.worth - costs, ..token });
        }
        for (class, back, costs) in &it.calls {
            self.arrive(network, *class, Token { worth: token.worth - costs, site: *back, ..token });
        }
        if it.returns && token.site != NONE {
            self.arrive(network, token.site, Token { site: NONE, ..token });
        }
    }

    /// Forgets the words that no token goes back to.
    fn compact(&mut self) {
        let mut kept = vec![NONE; self.records.len()];
        let tables = [&self.now, &self.here];
        let tokens = tables.iter().flat_map(|it| &it.states).flat_map(|it| &it.tokens[..it.n.into()]);
        for token in tokens.chain(&self.whole) {
            let mut at = token.record;
            while at != NONE && kept[at as usize] == NONE {
                kept[at as usize] = 0;
                at = self.records[at as usize].before;
            }
        }
        let mut records = Vec::new();
        for (at, record) in self.records.iter().enumerate().filter(|it| kept[it.0] != NONE).collect::<Vec<_>>() {
            kept[at] = records.len() as u32;
            let before = if record.before == NONE { NONE } else { kept[record.before as usize] };
            records.push(Record { before, ..*record });
        }
        self.records = records;
        let moved = |it: &mut Token| it.record = if it.record == NONE { NONE } else { kept[it.record as usize] };
        for table in [&mut self.now, &mut self.here] {
            table.states.iter_mut().for_each(|it| it.tokens[..it.n.into()].iter_mut().for_each(moved));
        }
        self.whole.iter_mut().for_each(moved);
    }

    /// The sentences that may have been said up to now, the likeliest first; each text once.
    pub fn candidates(&self) -> Vec<Candidate> {
        let mut all: Vec<Token> = self.whole.clone();
        all.extend(self.here.of(END));
        all.sort_by(|a, b| b.worth.total_cmp(&a.worth));
        let mut found: Vec<Candidate> = Vec::new();
        for token in all.into_iter().filter(|it| it.record != NONE && it.worth.is_finite()) {
            let it = self.candidate(token);
            if !it.text.is_empty() && !found.iter().any(|other| other.text == it.text) {
                found.push(it);
            }
        }
        found
    }

    /// The frame after the sentence that is the likeliest now, if it is likelier than everything else.
    pub fn likeliest_end(&self) -> Option<i64> {
        let best = self.whole.iter().filter(|it| it.worth > 0.0 && it.worth >= self.best && it.record != NONE);
        best.map(|it| self.records[it.record as usize].end).next()
    }

    fn candidate(&self, token: Token) -> Candidate {
        let (mut words, mut phones, mut at) = (Vec::new(), Vec::new(), token.record);
        let end = self.records[at as usize].end;
        while at != NONE {
            let record = self.records[at as usize];
            words.push(self.network.word(record.word));
            phones.push(self.network.phones(record.node));
            at = record.before;
        }
        words.reverse();
        phones.reverse();
        words.retain(|it| !it.is_empty());
        Candidate { text: words.join(" "), worth: token.worth, end, phones }
    }
}

/// One of the best, each text once.
fn keep(whole: &mut Vec<Token>, token: Token) {
    if let Some(same) = whole.iter_mut().find(|it| it.key == token.key) {
        if token.worth > same.worth {
            *same = token;
        }
        return;
    }
    whole.push(token);
    if whole.len() > WHOLE {
        let worst = (0..whole.len()).min_by(|a, b| whole[*a].worth.total_cmp(&whole[*b].worth)).unwrap_or(0);
        whole.swap_remove(worst);
    }
}

fn mixed(key: u32, word: u32) -> u32 {
    (key ^ word.wrapping_add(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64)
}

#[cfg(test)]
impl Passing {
    fn n_records(&self) -> usize {
        self.records.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ways::{Class, Framed, Part, Ways};

    /// Silence and phones a to f; a word is said as it is written.
    const N: usize = 7;

    fn pronounce(word: &str) -> Vec<Pronunciation> {
        match word {
            "ba|da" => vec![vec![2, 1], vec![4, 1]],
            word => vec![word.bytes().map(|it| it - b'a' + 1).collect()],
        }
    }

    fn network(wakes: &[&str]) -> Arc<Network> {
        let part = |it: &str| it.parse().map_or_else(|_| Part::Word(it.into()), Part::Class);
        let sentence = |it: &str| it.split(' ').map(part).collect();
        let texts = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let ways = Ways {
            classes: vec![
                Class { texts: texts(&["ab", "ab cd", "fe"]), repeats: false },
                Class { texts: texts(&["e", "fa"]), repeats: true },
            ],
            framed: vec![
                Framed {
                    leads: vec![texts(&["da"])],
                    sentences: ["ca 0", "ca 0 be", "fo", "dec 1", "bad 0 ad"].map(sentence).into(),
                    trails: texts(&["ef"]),
                },
                Framed { sentences: vec![vec![Part::Word("ba|da".into())]], ..Framed::default() },
            ],
        };
        let wakes: Vec<String> = texts(wakes);
        Arc::new(Network::new(&ways, &wakes, |word| if word == "fo" { Vec::new() } else { pronounce(word) }))
    }

    /// Outputs in which these phones are heard, two frames each; `.` is silence, and `?` sounds like no phone.
    fn heard(text: &str) -> Vec<Vec<f32>> {
        let phone = |it: char| if it == '.' { 0 } else { it as usize - 'a' as usize + 1 };
        let frames = |it: char| {
            [true, false].map(|begins| {
                let mut frame = vec![-4.0; 2 * N];
                if it != '?' {
                    frame[2 * phone(it) + usize::from(!begins)] = 2.0;
                }
                frame
            })
        };
        text.chars().flat_map(frames).collect()
    }

    fn run(passing: &mut Passing, frames: &[Vec<f32>]) {
        passing.reset();
        for (at, frame) in frames.iter().enumerate() {
            passing.step(at as i64, frame, 0.0, (at == 0).then_some(0.0));
        }
    }

    fn best(wakes: &[&str], text: &str) -> String {
        let mut passing = Passing::new(network(wakes));
        run(&mut passing, &heard(text));
        let likeliest = passing.candidates().into_iter().next();
        likeliest.filter(|it| it.worth > 0.0).map(|it| it.text).unwrap_or_default()
    }

    #[test]
    fn the_likeliest_whole_sentence_is_found() {
        for (sound, text) in [
            ("caab", "ca ab"),
            ("ca.ab..", "ca ab"),
            ("..caabcd", "ca ab cd"),
            ("cafebe.", "ca fe be"),
            // One phone is not heard.
            ("c?abcdbe", "ca ab cd be"),
            ("decefa.e", "dec e fa e"),
            ("dacaab.ef", "da ca ab ef"),
            ("bad.fead", "bad fe ad"),
            ("da", "ba|da"),
            // Nothing that sounds like anything.
            ("????", ""),
        ] {
            assert_eq!(best(&[], sound), text, "{sound}");
        }
    }

    #[test]
    fn a_wake_phrase_before_it_is_not_told() {
        assert_eq!(best(&["bed ace"], "bed.acecaab"), "ca ab");
        assert_eq!(best(&[], "bed.acecaab"), "");
    }

    #[test]
    fn every_sentence_comes_once_with_its_phones_and_its_end() {
        let mut passing = Passing::new(network(&[]));
        run(&mut passing, &heard("ca.ab.."));
        let all = passing.candidates();
        assert_eq!((all[0].text.as_str(), all[0].end), ("ca ab", 10));
        assert_eq!(all[0].phones, [vec![3, 1], vec![1, 2]]);
        let mut texts: Vec<&str> = all.iter().map(|it| it.text.as_str()).collect();
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), all.len());
    }

    #[test]
    fn talk_without_end_is_forgotten_and_the_sentence_after_it_is_not() {
        let mut passing = Passing::new(network(&[]));
        let frames: Vec<Vec<f32>> = ["dec", &"efa".repeat(6_000), "e."].iter().flat_map(|it| heard(it)).collect();
        run(&mut passing, &frames);
        assert!(passing.n_records() <= RECORDS + 1_000, "{}", passing.n_records());
        assert!(passing.candidates()[0].text.ends_with("e fa e"));
        passing.reset();
        run(&mut passing, &heard("cafe"));
        assert_eq!(passing.candidates()[0].text, "ca fe");
    }
}
