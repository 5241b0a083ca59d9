//! Runs an acoustic network over a stream of features: every layer once for every third frame (30 ms), nothing twice.

use std::sync::Arc;

use crate::nnet3::{self, Component, Network};

/// Frames of 10 ms for one output.
pub const SUBSAMPLING: i64 = 3;
/// Frames that a layer may keep beyond those that it needs, before it moves them.
const SLACK: usize = 4;

/// A network that can be run.
pub struct Net {
    network: Network,
    /// Per node, the first frame that is needed for the first output.
    firsts: Vec<i64>,
    /// Feature frames that an output looks ahead.
    ahead: i64,
}

/// What a run remembers.
#[derive(Clone)]
pub struct Run {
    net: Arc<Net>,
    tracks: Vec<Track>,
    gathered: Vec<f32>,
    began: bool,
}

/// The newest frames of a node.
#[derive(Clone, Default)]
struct Track {
    dim: usize,
    /// Number of the oldest frame.
    first: i64,
    values: Vec<f32>,
}

impl Track {
    fn end(&self) -> i64 {
        self.first + (self.values.len() / self.dim) as i64
    }

    fn frame(&self, at: i64) -> &[f32] {
        &self.values[(at - self.first) as usize * self.dim..][..self.dim]
    }
}

impl Net {
    /// Reads am/final.mdl; `dim` is the length of a feature frame. Tells what is wrong with the file.
    pub fn read(bytes: &[u8], dim: usize) -> Result<Arc<Self>, String> {
        let network = nnet3::read(bytes)?;
        if network.nodes[0].dim != dim {
            return Err(format!("wants {} features, not {dim}", network.nodes[0].dim));
        }
        let n = network.nodes.len();
        let (mut firsts, mut lasts) = (vec![i64::MAX; n], vec![i64::MIN; n]);
        (firsts[n - 1], lasts[n - 1]) = (0, 0);
        for at in (1..n).rev() {
            let (first, last) = (firsts[at], lasts[at]);
            for term in network.nodes[at].parts.iter().flatten().filter(|_| first != i64::MAX) {
                if term.node != 0 && i64::from(term.offset) % SUBSAMPLING != 0 {
                    return Err("has layers that do not run at every third frame".into());
                }
                let (wants_first, wants_last) = (frame(term.node, first, term.offset), frame(term.node, last, term.offset));
                firsts[term.node] = firsts[term.node].min(wants_first);
                lasts[term.node] = lasts[term.node].max(wants_last);
            }
        }
        if firsts[0] == i64::MAX {
            return Err("does not use its input".into());
        }
        firsts[0] = firsts[0].min(0);
        Ok(Arc::new(Self { ahead: lasts[0].max(0), network, firsts }))
    }

    /// Values per output.
    pub fn n_outputs(&self) -> usize {
        self.network.nodes.last().map_or(0, |it| it.dim)
    }

    /// Feature frames (10 ms) that an output looks ahead.
    pub fn ahead(&self) -> i64 {
        self.ahead
    }
}

/// The frame of a node that stands at `offset` from an output frame: the input has all, layers every third.
fn frame(node: usize, at: i64, offset: i32) -> i64 {
    if node == 0 { at * SUBSAMPLING + i64::from(offset) } else { at + i64::from(offset) / SUBSAMPLING }
}

impl Run {
    /// At the start of a stream.
    pub fn new(net: Arc<Net>) -> Self {
        let track = |(node, first): (&nnet3::Node, &i64)| Track { dim: node.dim, first: *first, values: Vec::new() };
        let tracks = net.network.nodes.iter().zip(&net.firsts).map(track).collect();
        Self { net, tracks, gathered: Vec::new(), began: false }
    }

    /// Begins a new stream.
    pub fn reset(&mut self) {
        self.began = false;
        for (track, first) in self.tracks.iter_mut().zip(&self.net.firsts) {
            track.first = *first;
            track.values.clear();
        }
    }

    /// Takes feature frames and adds the outputs that they complete.
    pub fn feed(&mut self, features: &[f32], outputs: &mut Vec<f32>) {
        let input = &mut self.tracks[0];
        if let Some(first) = features.get(..input.dim).filter(|_| !self.began) {
            // What was before the start was like the start.
            for _ in input.first..0 {
                input.values.extend_from_slice(first);
            }
            self.began = true;
        }
        input.values.extend_from_slice(features);
        self.advance(outputs);
    }

    /// Adds the outputs that wait for what comes, as if everything stayed as it is; nothing can be fed after that.
    pub fn flush(&mut self, outputs: &mut Vec<f32>) {
        let input = &mut self.tracks[0];
        let Some(last) = input.values.len().checked_sub(input.dim) else { return };
        for _ in 0..self.net.ahead {
            input.values.extend_from_within(last..last + input.dim);
        }
        self.advance(outputs);
    }

    fn advance(&mut self, outputs: &mut Vec<f32>) {
        let nodes = &self.net.network.nodes;
        let mut needed = vec![i64::MAX; nodes.len()];
        for (at, node) in nodes.iter().enumerate().skip(1) {
            if self.net.firsts[at] == i64::MAX {
                continue;
            }
            let (before, rest) = self.tracks.split_at_mut(at);
            let (start, mut end) = (rest[0].end(), i64::MAX);
            for term in node.parts.iter().flatten() {
                let there = before[term.node].end();
                let to = match term.node {
                    0 => (there - i64::from(term.offset) + SUBSAMPLING - 1).div_euclid(SUBSAMPLING),
                    _ => there - i64::from(term.offset) / SUBSAMPLING,
                };
                end = end.min(to);
            }
            self.gathered.clear();
            for k in start..end {
                for part in &node.parts {
                    gather(part, k, before, &mut self.gathered);
                }
            }
            let out = &mut rest[0].values;
            match &node.component {
                Component::Affine(matrix) => matrix.multiply(&self.gathered, out),
                Component::Relu => out.extend(self.gathered.iter().map(|it| it.max(0.0))),
                Component::NoOp => out.extend_from_slice(&self.gathered),
            }
            let next = rest[0].end();
            for term in node.parts.iter().flatten() {
                needed[term.node] = needed[term.node].min(frame(term.node, next, term.offset));
            }
        }
        let last = self.tracks.len() - 1;
        let output = &mut self.tracks[last];
        output.first = output.end();
        outputs.append(&mut output.values);
        for (track, needed) in self.tracks.iter_mut().zip(needed) {
            let old = (needed.min(track.end()) - track.first).max(0) as usize;
            if old > SLACK {
                track.values.drain(..old * track.dim);
                track.first += old as i64;
            }
        }
    }
}

/// Adds the sum of the terms.
fn gather(part: &nnet3::Part, k: i64, tracks: &[Track], gathered: &mut Vec<f32>) {
    let from = gathered.len();
    for (i, term) in part.iter().enumerate() {
        let values = tracks[term.node].frame(frame(term.node, k, term.offset));
        match i {
            0 if term.scale == 1.0 => gathered.extend_from_slice(values),
            0 => gathered.extend(values.iter().map(|it| it * term.scale)),
            _ => gathered[from..].iter_mut().zip(values).for_each(|(sum, it)| *sum += it * term.scale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two layers with all kinds of matrices and descriptors.
    fn model() -> Vec<u8> {
        let number = |it: i32| [vec![4], it.to_le_bytes().to_vec()].concat();
        let floats = |it: &[f32]| it.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>();
        let vector = |it: &[f32]| [b"FV ".to_vec(), number(it.len() as i32), floats(it)].concat();
        let affine = |name: &str, matrix: Vec<u8>, bias: &[f32]| {
            let head = format!("<ComponentName> {name} <FixedAffineComponent> <LinearParams> ");
            [head.into_bytes(), matrix, b"<BiasParams> ".to_vec(), vector(bias), b"</FixedAffineComponent> ".to_vec()].concat()
        };
        let size = |rows: i32, columns: i32| [rows.to_le_bytes(), columns.to_le_bytes()].concat();
        let plain = [b"FM ".to_vec(), number(2), number(4), floats(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0])].concat();
        let words: Vec<u8> = [0_u16, 65_535, 32_768, 0].iter().flat_map(|it| it.to_le_bytes()).collect();
        let small = [b"CM2 ".to_vec(), floats(&[0.0, 1.0]), size(2, 2), words].concat();
        let config = "input-node name=input dim=2\n\
            component-node name=a component=a input=Append(Offset(input, -1), Offset(input, 2))\n\
            component-node name=r component=r input=a\n\
            component-node name=b component=b input=Sum(Scale(0.5, Offset(r, -3)), Offset(r, 3))\n\
            output-node name=output input=b objective=linear\n\n";
        let zero = || [vec![4], 0.0_f32.to_le_bytes().to_vec()].concat();
        let relu = [
            b"<ComponentName> r <RectifiedLinearComponent> <Dim> ".to_vec(),
            number(2),
            [b"<ValueAvg> ".to_vec(), vector(&[]), b"<DerivAvg> ".to_vec(), vector(&[]), b"<Count> ".to_vec(), zero()].concat(),
            [b"<OderivRms> ".to_vec(), vector(&[]), b"<OderivCount> ".to_vec(), zero()].concat(),
            [b"<NumDimsSelfRepaired> ".to_vec(), zero(), b"<NumDimsProcessed> ".to_vec(), zero()].concat(),
            b"</RectifiedLinearComponent> ".to_vec(),
        ];
        [
            b"\0B<TransitionModel> whatever </TransitionModel> <Nnet3> \n".to_vec(),
            config.as_bytes().to_vec(),
            b"<NumComponents> ".to_vec(),
            number(3),
            affine("a", plain, &[0.0, -1.0]),
            relu.concat(),
            affine("b", small, &[0.25, 0.0]),
            b"</Nnet3> <LeftContext> ".to_vec(),
        ]
        .concat()
    }

    #[test]
    fn every_frame_is_computed_once_and_right() {
        let net = Net::read(&model(), 2).unwrap();
        assert_eq!((net.n_outputs(), net.ahead()), (2, 5));
        let features: Vec<f32> = (0..100).map(|i| (i as f32 * 0.7).sin() * 3.0).collect();
        let input = |t: i64| {
            let t = t.clamp(0, 49) as usize;
            (features[2 * t], features[2 * t + 1])
        };
        let relu = |k: i64| (input(3 * k - 1).0.max(0.0), (input(3 * k + 2).1 - 1.0).max(0.0));
        for size in [2, 6, 14, 100] {
            let mut run = Run::new(net.clone());
            for _ in 0..2 {
                let mut outputs = Vec::new();
                features.chunks(size).for_each(|it| run.feed(it, &mut outputs));
                run.flush(&mut outputs);
                assert!(outputs.len() / 2 >= 16, "{}", outputs.len());
                for (k, output) in (0_i64..).zip(outputs.chunks(2)) {
                    let (x, y) = (0.5 * relu(k - 1).0 + relu(k + 1).0, 0.5 * relu(k - 1).1 + relu(k + 1).1);
                    assert!((output[0] - (0.25 + y)).abs() < 1e-4 && (output[1] - 0.5 * x).abs() < 1e-3, "{k}");
                }
                run.reset();
            }
        }
    }

    #[test]
    fn damaged_models_are_refused_and_never_crash() {
        let whole = model();
        let end = whole.len() - "<LeftContext> ".len();
        for cut in 0..end {
            assert!(Net::read(&whole[..cut], 2).is_err(), "{cut}");
        }
        let mut seed = 1_u32;
        for _ in 0..5_000 {
            let mut bytes = whole.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (seed >> 8) as usize % bytes.len();
                bytes[at] = (seed >> 3) as u8;
            }
            if let Ok(net) = Net::read(&bytes, 2) {
                Run::new(net).feed(&[1.0; 64], &mut Vec::new());
            }
        }
        for (from, to) in [("FixedAffine", "Convolution"), ("Offset(r, 3)", "Offset(r, 2)"), ("dim=2", "dim=3"), ("FM ", "XM ")] {
            let text: Vec<u8> = replaced(&whole, from.as_bytes(), to.as_bytes());
            assert!(Net::read(&text, 2).is_err(), "{to}");
        }
        for other in [&b""[..], b"\0B", b"text", &[0xff; 100]] {
            assert!(Net::read(other, 2).is_err());
        }
    }

    fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        let at = bytes.windows(from.len()).position(|it| it == from).unwrap();
        [&bytes[..at], to, &bytes[at + from.len()..]].concat()
    }
}
