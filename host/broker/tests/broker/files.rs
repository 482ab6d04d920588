//! Listing, reading and writing below a granted directory.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use hostler_broker::{FILE_BYTES, LIST_ENTRIES, Limits};
use hostler_engine::problem::ProblemKind;
use hostler_engine::request::{FileEntry, FileKind, FileReply, FileRequest};
use hostler_engine::rights::Access;
use tempfile::{TempDir, tempdir};

use crate::granted::{at, file, file_gate, file_gate_within, tag_of, write};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempdir().unwrap();
    for (name, content) in files {
        fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn pipe(path: &Path) {
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_listing_is_sorted_and_says_what_each_entry_is() {
    let folder = folder(&[("b.md", "12345"), ("a.md", ""), ("done/c.md", "")]);
    symlink("b.md", folder.path().join("link")).unwrap();
    pipe(&folder.path().join("pipe"));
    fs::write(folder.path().join(".hostler-unfinished"), "left by a crash").unwrap();
    let gate = file_gate(folder.path(), Access::Read);
    let entry = |name: &str, kind, size| FileEntry { name: name.to_owned(), kind, size };
    let reply = file(&gate, FileRequest::List(at("."))).await.unwrap();
    let expected = vec![
        entry("a.md", FileKind::File, 0),
        entry("b.md", FileKind::File, 5),
        entry("done", FileKind::Directory, 0),
        entry("link", FileKind::Other, 0),
        entry("pipe", FileKind::Other, 0),
    ];
    assert_eq!(reply, FileReply::Entries(expected));
    let below = file(&gate, FileRequest::List(at("done"))).await.unwrap();
    assert_eq!(below, FileReply::Entries(vec![entry("c.md", FileKind::File, 0)]));
}

#[tokio::test]
async fn a_listing_is_capped() {
    let folder = tempdir().unwrap();
    for number in 0..LIST_ENTRIES {
        fs::write(folder.path().join(number.to_string()), "").unwrap();
    }
    let gate = file_gate(folder.path(), Access::Read);
    let FileReply::Entries(entries) = file(&gate, FileRequest::List(at("."))).await.unwrap() else {
        panic!("no entries");
    };
    assert_eq!(entries.len(), LIST_ENTRIES);
    fs::write(folder.path().join("one more"), "").unwrap();
    let problem = file(&gate, FileRequest::List(at("."))).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Permanent);
    assert!(problem.message.contains("more than the 10000 entries"), "{problem}");
}

#[tokio::test]
async fn a_file_is_read_whole_with_a_tag_of_its_content() {
    let folder = folder(&[("dir/a.md", "abc"), ("b.md", "abc"), ("c.md", "abd")]);
    let gate = file_gate(folder.path(), Access::Read);
    let FileReply::Content { content, tag } = file(&gate, FileRequest::Read(at("dir/a.md"))).await.unwrap()
    else {
        panic!("no content");
    };
    assert_eq!(content, b"abc");
    assert_eq!(tag_of(&gate, "b.md").await, tag);
    assert_ne!(tag_of(&gate, "c.md").await, tag);
}

#[tokio::test]
async fn files_are_capped_in_both_directions() {
    let folder = tempdir().unwrap();
    let gate = file_gate(folder.path(), Access::ReadWrite);
    file(&gate, write("full", vec![1; FILE_BYTES], None)).await.unwrap();
    file(&gate, FileRequest::Read(at("full"))).await.unwrap();
    let problem = file(&gate, write("more", vec![1; FILE_BYTES + 1], None)).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Permanent);
    fs::write(folder.path().join("more"), vec![1; FILE_BYTES + 1]).unwrap();
    let problem = file(&gate, FileRequest::Read(at("more"))).await.unwrap_err();
    assert!(problem.message.contains("larger than"), "{problem}");
}

#[tokio::test]
async fn the_operator_can_set_other_limits() {
    let folder = folder(&[("a", "12345"), ("b", "")]);
    let limits = Limits { file: 4, entries: 1, ..Limits::default() };
    let gate = file_gate_within(folder.path(), Access::Read, limits);
    file(&gate, FileRequest::Read(at("a"))).await.unwrap_err();
    file(&gate, FileRequest::List(at("."))).await.unwrap_err();
}

#[tokio::test]
async fn a_pipe_does_not_hold_the_gate() {
    let folder = tempdir().unwrap();
    pipe(&folder.path().join("pipe"));
    let gate = file_gate(folder.path(), Access::ReadWrite);
    for request in [FileRequest::Read(at("pipe")), write("pipe", "x", None), write("pipe", "x", Some("tag"))]
    {
        let problem = file(&gate, request).await.unwrap_err();
        assert!(problem.message.contains("not a plain file"), "{problem}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_gone() {
    let folder = tempdir().unwrap();
    let gate = file_gate(folder.path(), Access::ReadWrite);
    for request in [
        FileRequest::Read(at("a.md")),
        FileRequest::List(at("dir")),
        write("dir/a.md", "x", None),
        write("a.md", "x", Some("tag")),
    ] {
        let problem = file(&gate, request).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Gone, "{problem}");
    }
    assert!(names(folder.path()).is_empty());
}

#[tokio::test]
async fn a_folder_is_not_a_file_and_a_file_not_a_folder() {
    let folder = folder(&[("dir/a", ""), ("b", "")]);
    let gate = file_gate(folder.path(), Access::ReadWrite);
    for request in [
        FileRequest::Read(at("dir")),
        FileRequest::Read(at(".")),
        FileRequest::List(at("b")),
        FileRequest::Read(at("b/c")),
        write("dir", "x", None),
        write(".", "x", None),
        write("b/c", "x", None),
    ] {
        let problem = file(&gate, request).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Permanent, "{problem}");
    }
}

#[tokio::test]
async fn a_replaced_file_keeps_its_mode_and_leaves_nothing_beside_it() {
    let folder = folder(&[("run.sh", "old")]);
    let path = folder.path().join("run.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    let gate = file_gate(folder.path(), Access::ReadWrite);
    let tag = tag_of(&gate, "run.sh").await;
    let FileReply::Written(new) = file(&gate, write("run.sh", "new", Some(&tag))).await.unwrap() else {
        panic!("not written");
    };
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o750);
    assert_eq!(tag_of(&gate, "run.sh").await, new);
    file(&gate, write("b", "created", None)).await.unwrap();
    assert_eq!(fs::read(folder.path().join("b")).unwrap(), b"created");
    assert_eq!(names(folder.path()), ["b", "run.sh"]);
}
