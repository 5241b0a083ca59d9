//! Settings: read from YAML, checked, and from here on impossible to get wrong.

pub mod contacts;
pub mod edit;
pub mod file;
pub mod house;
pub mod layers;
pub mod load;
pub mod paths;
pub mod phrases;
pub mod problems;
pub mod reader;
pub mod secrets;
pub mod watch;
pub mod yaml;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use house::HouseSettings;
pub use load::{Loaded, Sources, load, load_contacts, socket};
pub use problems::{Place, Problem, Problems};
pub use watch::{Reload, Watch};

/// Everything that hark.yaml says, checked and with defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// What the decisions depend on.
    pub control: control::speaker::Settings,
    /// Languages that are understood beside that of the speaker.
    pub also_understands: Vec<String>,
    /// The room's slug for MQTT: a-z, 0-9, `-`.
    pub room_slug: String,
    /// The sound card and what is done to its sound.
    pub audio: AudioSettings,
    /// How the wake phrase is listened for.
    pub wake: WakeSettings,
    /// What is listened for, and the voice.
    pub speech: SpeechSettings,
    /// SIP lines.
    pub sip: SipSettings,
    /// The broker.
    pub mqtt: MqttSettings,
    /// Other speakers, and what other devices tell.
    pub house: HouseSettings,
    /// contacts.yaml.
    pub contacts_file: PathBuf,
    /// The folder of phrases/*.yaml.
    pub phrases_dir: PathBuf,
    /// Where what must survive a restart is kept.
    pub state_dir: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// Whether words heard may be published on MQTT. Off by default.
    pub publish_words: bool,
}

impl Settings {
    /// Opens the speech model for the languages of the house.
    ///
    /// # Errors
    /// When it is not there or damaged.
    pub fn open_model(&self) -> Result<speech::Model, speech::ModelError> {
        speech::Model::with(&self.speech.model, &self.languages())
    }

    /// The languages that are understood, that of the speaker first.
    pub fn languages(&self) -> Vec<String> {
        std::iter::once(&self.control.language).chain(&self.also_understands).cloned().collect()
    }
}

/// See hark.yaml, `audio`.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioSettings {
    /// `auto`, `alsa`, `pulseaudio`.
    pub host: String,
    /// Name or part of the name of the capture device; `None` is the default one.
    pub input: Option<String>,
    /// Name or part of the name of the playback device; `None` is the default one.
    pub output: Option<String>,
    /// For calls: AEC3.
    pub echo_cancellation: bool,
    /// For calls.
    pub noise_suppression: bool,
    /// For calls.
    pub gain_control: bool,
}

/// See hark.yaml, `wake`; the phrases are with the decisions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WakeSettings {
    /// 0 to 1: how readily the phrase is heard.
    pub sensitivity: f32,
    /// Whether what was almost the phrase is kept on this machine.
    pub keep_near_misses: bool,
}

/// See hark.yaml, `speech`.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeechSettings {
    /// The folder of a Vosk model.
    pub model: PathBuf,
    /// Program that speaks: `espeak-ng`, or any that takes the text on its standard input and writes WAV to its standard output.
    pub voice_command: Vec<String>,
}

/// See hark.yaml, `sip`.
#[derive(Clone, Debug, PartialEq)]
pub struct SipSettings {
    /// Address and port that we listen at for UDP and TCP; `None` turns SIP off.
    pub listen: Option<SocketAddr>,
    /// The address that others reach us at, where it is not that of the route to them.
    pub public_address: Option<IpAddr>,
    /// Accounts; calls without one go over the line `direct`.
    pub accounts: Vec<SipAccount>,
    /// Whether calls from strangers (no account, not from a contact's address) ring. Off: 403.
    pub accept_direct: bool,
    /// In order of preference: `opus`, `pcma`, `pcmu`.
    pub codecs: Vec<String>,
    /// First and last port for RTP.
    pub rtp_ports: (u16, u16),
    /// SRTP on direct calls.
    pub direct_srtp: Srtp,
}

/// One account at a registrar.
#[derive(Clone, Debug, PartialEq)]
pub struct SipAccount {
    /// The line's name.
    pub name: String,
    /// The registrar's host, `host:port` or domain.
    pub registrar: String,
    /// The user part of our address.
    pub user: String,
    /// The name to authenticate with, where it is not `user`.
    pub auth_user: Option<String>,
    /// Never printed: the type's Debug hides it.
    pub password: Secret,
    /// `udp`, `tcp`, `tls`.
    pub transport: Transport,
    /// SRTP.
    pub srtp: Srtp,
    /// How long a registration is asked for.
    pub expires: Duration,
}

/// How SIP messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP; the certificate is verified.
    Tls,
}

/// When media is encrypted (SDES, RFC 4568).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Srtp {
    /// When the other side offers it; ours offers plain RTP.
    Accept,
    /// We offer it (RTP/SAVP) and take plain RTP from those who offer that.
    Offer,
    /// Calls without it are turned away.
    Require,
}

/// See hark.yaml, `mqtt`.
#[derive(Clone, Debug, PartialEq)]
pub struct MqttSettings {
    /// Which broker.
    pub broker: Broker,
    /// The first level of all topics: `hark`.
    pub base: String,
    /// User name and password.
    pub login: Option<(String, Secret)>,
    /// Home Assistant's discovery prefix; `None` publishes no discovery.
    pub discovery_prefix: Option<String>,
}

/// Which broker.
#[derive(Clone, Debug, PartialEq)]
pub enum Broker {
    /// No MQTT.
    Off,
    /// The one in this process, listening here.
    Embedded(SocketAddr),
    /// Another one.
    At {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
        /// TLS, with this CA file or the system's.
        tls: Option<Option<PathBuf>>,
    },
}

/// Text that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}
