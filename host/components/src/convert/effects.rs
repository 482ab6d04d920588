//! Effects and replies.

use hostler_engine::problem::Problem;
use hostler_engine::request::{
    FileEntry, FileKind, FilePath, FileReply, FileRequest, HttpRequest, PluginEffect, PluginReply,
};

use super::{millis, problem_for_guest, saturated};
use crate::bindings::{effects as wit, types};
use crate::operation::{Frame, Payload};

pub(super) fn effect(effect: wit::Effect) -> PluginEffect {
    match effect {
        wit::Effect::Http(request) => PluginEffect::Http(HttpRequest {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            credential: request.credential,
            timeout: request.timeout.map(millis),
        }),
        wit::Effect::File(request) => PluginEffect::File(file_request(request)),
        wit::Effect::Socket(open) => PluginEffect::Socket { socket: open.socket, url: open.url },
        wit::Effect::Send(frame) => PluginEffect::Send { socket: frame.socket },
        wit::Effect::Wake(after) => PluginEffect::Wake(millis(after)),
        wit::Effect::Other((name, details)) => PluginEffect::Other { name, details },
    }
}

fn file_request(request: wit::FileRequest) -> FileRequest {
    match request {
        wit::FileRequest::List(at) => FileRequest::List(file_path(at)),
        wit::FileRequest::Read(at) => FileRequest::Read(file_path(at)),
        wit::FileRequest::Write(write) => {
            FileRequest::Write { at: file_path(write.at), content: write.content, expect: write.expect }
        }
    }
}

fn file_path(at: wit::FilePath) -> FilePath {
    FilePath { directory: at.directory, path: at.path }
}

/// The argument of `resume`.
pub(crate) fn reply(reply: Result<PluginReply, Problem>) -> Result<wit::Reply, types::Problem> {
    match reply {
        Ok(PluginReply::Http(response)) => Ok(wit::Reply::Http(wit::HttpResponse {
            status: response.status,
            headers: response.headers,
            body: response.body,
        })),
        Ok(PluginReply::File(reply)) => Ok(wit::Reply::File(file_reply(reply))),
        Ok(PluginReply::Done) => Ok(wit::Reply::Done),
        Err(problem) => Err(problem_for_guest(problem)),
    }
}

fn file_reply(reply: FileReply) -> wit::FileReply {
    match reply {
        FileReply::Entries(entries) => wit::FileReply::Entries(entries.into_iter().map(entry).collect()),
        FileReply::Content { content, tag } => wit::FileReply::Content(wit::FileContent { content, tag }),
        FileReply::Written(tag) => wit::FileReply::Written(tag),
    }
}

fn entry(entry: FileEntry) -> wit::FileEntry {
    let kind = match entry.kind {
        FileKind::File => "file",
        FileKind::Directory => "directory",
        FileKind::Other => "other",
    };
    wit::FileEntry { name: entry.name, kind: kind.to_owned(), size: saturated(entry.size) }
}

/// How many bytes a reply brings into the guest.
pub(crate) fn reply_bytes(reply: &Result<PluginReply, Problem>) -> usize {
    match reply {
        Ok(PluginReply::Http(response)) => {
            let headers = response.headers.iter().map(|(name, value)| name.len() + value.len());
            response.body.len() + headers.sum::<usize>()
        }
        Ok(PluginReply::File(FileReply::Content { content, .. })) => content.len(),
        Ok(PluginReply::File(FileReply::Entries(entries))) => {
            entries.iter().map(|entry| entry.name.len()).sum()
        }
        Ok(PluginReply::File(FileReply::Written(_)) | PluginReply::Done) => 0,
        Err(problem) => problem.message.len(),
    }
}

/// The argument of `receive`.
pub(crate) fn frame(frame: Frame) -> wit::Frame {
    let payload = match frame.payload {
        Payload::Text(text) => wit::Payload::Text(text),
        Payload::Binary(bytes) => wit::Payload::Binary(bytes),
        Payload::Opened => wit::Payload::Opened,
        Payload::Closed(code, reason) => wit::Payload::Closed((code, reason)),
    };
    wit::Frame { socket: frame.socket, payload }
}

/// How many bytes a frame brings into the guest.
pub(crate) fn frame_bytes(frame: &Frame) -> usize {
    match &frame.payload {
        Payload::Text(text) | Payload::Closed(_, text) => text.len(),
        Payload::Binary(bytes) => bytes.len(),
        Payload::Opened => 0,
    }
}
