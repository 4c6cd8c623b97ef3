//! A client, recordings and targets that do what the test says and write what they were asked into one shared diary.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::domain::Digest;
use crate::inventory::Target;
use crate::service::ports::{
    Cleared, ClientSide, RecordError, Recorder, RecorderHeader, Recorders, Running, Stream, TargetError, Targets,
};

/// What happened, in order, over all fakes of one test.
#[derive(Clone, Default)]
pub(crate) struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.lock().expect("diary").push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().expect("diary").clone()
    }

    /// The lines that begin with one of these, in order.
    pub(crate) fn only(&self, begins: &[&str]) -> Vec<String> {
        self.lines().into_iter().filter(|line| begins.iter().any(|begin| line.starts_with(begin))).collect()
    }
}

/// A client whose input the test sends and whose output it reads afterwards.
pub(crate) struct FakeClient {
    diary: Diary,
    input: mpsc::UnboundedReceiver<Bytes>,
    pub(crate) output: Vec<u8>,
    pub(crate) error: Vec<u8>,
    pub(crate) gone: CancellationToken,
    pub(crate) overflowed: Arc<AtomicBool>,
    /// Never takes any output.
    pub(crate) stuck: bool,
}

impl FakeClient {
    /// A client, and where the test types for it; dropping that ends the input.
    pub(crate) fn new(diary: &Diary) -> (Self, mpsc::UnboundedSender<Bytes>) {
        let (typist, input) = mpsc::unbounded_channel();
        let client = Self {
            diary: diary.clone(),
            input,
            output: Vec::new(),
            error: Vec::new(),
            gone: CancellationToken::new(),
            overflowed: Arc::default(),
            stuck: false,
        };
        (client, typist)
    }

    pub(crate) fn said(&self) -> String {
        String::from_utf8_lossy(&self.error).into_owned()
    }

    async fn stick(&self) {
        if self.stuck {
            std::future::pending::<()>().await;
        }
    }
}

#[async_trait]
impl ClientSide for FakeClient {
    async fn input(&mut self) -> Option<Bytes> {
        self.input.recv().await
    }

    async fn gone(&self) {
        self.gone.cancelled().await;
    }

    async fn output(&mut self, data: Bytes) -> bool {
        self.stick().await;
        self.diary.note("client: output");
        self.output.extend_from_slice(&data);
        !self.gone.is_cancelled()
    }

    async fn error(&mut self, data: Bytes) -> bool {
        self.stick().await;
        self.diary.note("client: error");
        self.error.extend_from_slice(&data);
        !self.gone.is_cancelled()
    }

    fn overflowed(&self) -> bool {
        self.overflowed.load(Ordering::SeqCst)
    }
}

/// What a fake does when it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mood {
    Works,
    Fails,
    Hangs,
}

/// Recordings that only the diary keeps.
pub(crate) struct FakeRecorders {
    pub(crate) diary: Diary,
    pub(crate) open: Mood,
    pub(crate) write: Mood,
}

/// One of them.
pub(crate) struct FakeRecorder {
    pub(crate) diary: Diary,
    pub(crate) write: Mood,
}

#[async_trait]
impl Recorders for FakeRecorders {
    async fn open(&self, header: RecorderHeader) -> Result<Box<dyn Recorder>, RecordError> {
        self.diary.note(format!("recorder: open {}", header.line));
        match self.open {
            Mood::Works => Ok(Box::new(FakeRecorder { diary: self.diary.clone(), write: self.write })),
            Mood::Fails => Err(RecordError { reason: "disk full".to_owned() }),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Recorder for FakeRecorder {
    fn file_name(&self) -> &str {
        "fake.cast"
    }

    async fn write(&mut self, stream: Stream, _: Bytes) -> Result<(), RecordError> {
        self.diary.note(format!("recorder: {stream:?}"));
        match self.write {
            Mood::Works => Ok(()),
            Mood::Fails => Err(RecordError { reason: "disk full".to_owned() }),
            Mood::Hangs => std::future::pending().await,
        }
    }

    async fn finish(self: Box<Self>, exit: u8) -> Result<Digest, RecordError> {
        self.diary.note(format!("recorder: finish {exit}"));
        Ok(Digest::of(b"recording"))
    }
}

/// Answers in a target's place.
pub(crate) type Start = Box<dyn Fn(&Cleared) -> Result<Running, TargetError> + Send + Sync>;

/// Targets that do what the test says.
pub(crate) struct FakeTargets {
    pub(crate) diary: Diary,
    pub(crate) start: Start,
}

#[async_trait]
impl Targets for FakeTargets {
    async fn start(&self, cleared: Cleared, target: &Target) -> Result<Running, TargetError> {
        self.diary.note(format!("target: start {} on {}", cleared.permit().command().join(" "), target.name));
        (self.start)(&cleared)
    }
}

/// No recordings and no targets: for what never comes that far.
pub(crate) struct NotOnStage;

#[async_trait]
impl Recorders for NotOnStage {
    async fn open(&self, _: RecorderHeader) -> Result<Box<dyn Recorder>, RecordError> {
        panic!("a recording was opened")
    }
}

#[async_trait]
impl Targets for NotOnStage {
    async fn start(&self, _: Cleared, _: &Target) -> Result<Running, TargetError> {
        panic!("a target was reached for")
    }
}
