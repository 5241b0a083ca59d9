//! Looks for wake phrases in recordings and writes what was seen of them, for models/train/wake.py, which fits the weights.
//!
//! `wake_evidence outputs FINAL.MDL` turns samples (standard input, 16 kHz, 16 bit) into outputs of the network, `wake_evidence evidence MODEL LENGTHS PHRASES
//! LANGUAGE..` turns those into records of evidence: recording, phrase, first and last frame, what is given for the whole, and phone by phone.

use std::io::{Read, Write};
use std::path::Path;

use speech::Lexicon;
use speech::background::APART;
use speech::mfcc::{self, Mfcc};
use speech::net::{Net, Run};
use speech::phone_loop::Bigram;
use speech::spot::{Phrase, Said, Searches, Sighting};
use speech::weigh::{Piece, Weights};

/// Phones that a record has room for.
const PIECES: usize = 24;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let given: Vec<&str> = given.iter().map(String::as_str).collect();
    match given[..] {
        ["outputs", model, lengths] => outputs(Path::new(model), lengths),
        ["evidence", model, lengths, phrases, ref languages @ ..] => evidence(Path::new(model), lengths, phrases, languages),
        _ => Err("see the top of the file".into()),
    }
}

/// The number of samples of each recording.
fn lengths(file: &str) -> Result<Vec<usize>, Failure> {
    std::fs::read_to_string(file)?.lines().map(|it| Ok(it.split('\t').nth(1).ok_or("a length")?.parse()?)).collect()
}

fn outputs(model: &Path, file: &str) -> Result<(), Failure> {
    let net = Net::read(&std::fs::read(model.join("am/final.mdl"))?, mfcc::DIM)?;
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::BufWriter::new(std::io::stdout().lock()));
    for n in lengths(file)? {
        let mut bytes = vec![0; 2 * n];
        input.read_exact(&mut bytes)?;
        let samples: Vec<f32> =
            bytes.chunks_exact(2).map(|it| f32::from(i16::from_le_bytes([it[0], it[1]])) / 32_768.0).collect();
        let (mut features, mut outputs) = (Vec::new(), Vec::new());
        Mfcc::default().feed(&samples, &mut features);
        let mut run = Run::new(net.clone());
        features.chunks(48 * mfcc::DIM).for_each(|it| run.feed(it, &mut outputs));
        run.flush(&mut outputs);
        let n = (outputs.len() / net.n_outputs()) as u32;
        output.write_all(&n.to_le_bytes())?;
        for it in outputs {
            output.write_all(&it.to_le_bytes())?;
        }
    }
    Ok(())
}

fn evidence(model: &Path, file: &str, phrases: &str, languages: &[&str]) -> Result<(), Failure> {
    let languages: Vec<String> = languages.iter().map(|it| (*it).to_owned()).collect();
    let lexicon = Lexicon::open(model, &languages)?;
    let phones = lexicon.phones();
    let bigram = Bigram::new(&lexicon.all_talk()?, phones.len());
    let weights = match std::fs::read_to_string(model.join("wake.txt")) {
        Ok(text) => Weights::read(&text).unwrap_or_default(),
        Err(_) => Weights::default(),
    };
    let mut all = Vec::new();
    for line in std::fs::read_to_string(phrases)?.lines() {
        let said: Said = line.split(' ').map(|it| lexicon.pronounce(it)).collect();
        all.push(Phrase::new(&said, &bigram));
    }
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::BufWriter::new(std::io::stdout().lock()));
    for number in 0..lengths(file)?.len() as u32 {
        let mut n = [0; 4];
        input.read_exact(&mut n)?;
        let mut bytes = vec![0; u32::from_le_bytes(n) as usize * 8 * phones.len()];
        input.read_exact(&mut bytes)?;
        let outputs: Vec<f32> = bytes.chunks_exact(4).map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]])).collect();
        // The best of each second and phrase.
        let mut best: Vec<Option<(Sighting, f32)>> = vec![None; all.len()];
        let mut tell = |it: Option<(Sighting, f32)>| -> std::io::Result<()> {
            let Some((it, _)) = it else { return Ok(()) };
            for value in [number, it.phrase as u32, it.start as u32, it.end as u32] {
                output.write_all(&value.to_le_bytes())?;
            }
            let piece = |it: &Piece| [f32::from(it.phone), it.frames, it.worth, it.sharp];
            let pieces = it.evidence.pieces[..it.evidence.n].iter().flat_map(piece).chain(std::iter::repeat(-1.0));
            it.evidence.given.into_iter().chain(pieces.take(4 * PIECES)).try_for_each(|it| output.write_all(&it.to_le_bytes()))
        };
        let mut found = Vec::new();
        Searches::new(&bigram, &all).feed(&bigram, &all, &outputs, |it| found.push(it));
        for it in found {
            let score = weights.score(&it.evidence);
            let slot = &mut best[it.phrase];
            match slot {
                Some((old, sure)) if it.start < old.end || it.end < old.end + APART => {
                    if score > *sure {
                        *slot = Some((it, score));
                    }
                }
                _ => tell(slot.replace((it, score)))?,
            }
        }
        best.into_iter().try_for_each(&mut tell)?;
    }
    Ok(())
}
