//! The smallest tracker that talks to a server.

use hostler_sdk::tracker::{Polled, Report, RunRef, Task};
use hostler_sdk::{Config, Context, Problem, Section, Tracker};

pub struct Hello(String);

#[derive(serde::Deserialize)]
struct Item {
    id: String,
    text: String,
}

impl From<Item> for Task {
    fn from(Item { id, text }: Item) -> Self {
        let section = Section { title: "Task".into(), body: text.clone(), trusted: false };
        Task { key: id.clone(), id, title: text, sections: vec![section], priority: 0, data: "null".into() }
    }
}

impl Tracker for Hello {
    fn open(config: Config, _saved: Option<Vec<u8>>) -> Result<Self, Problem> {
        Ok(Self(config.text("url").unwrap_or_default().to_owned()))
    }

    async fn poll(&self, cx: &Context, limit: u32) -> Result<Polled, Problem> {
        let url = format!("{}/tasks?limit={limit}", self.0);
        let items: Vec<Item> = cx.get(url).credential("token").send().await?.ok()?.json()?;
        Ok(Polled { offered: items.into_iter().map(Task::from).collect(), ..Polled::default() })
    }

    async fn report(&self, cx: &Context, run: RunRef, report: Report) -> Result<(), Problem> {
        let url = format!("{}/tasks/{}/report", self.0, run.task.id);
        cx.post(url).credential("token").json(&report.state).send().await?.ok().map(|_| ())
    }
}

hostler_sdk::tracker!(Hello);
