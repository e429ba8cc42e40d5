//! A vendor that answers each query by what it asks for, in any order; what nobody put there is an empty result.

use std::cell::RefCell;

use seatwise_connector_salesforce::Salesforce;
use seatwise_connector_sdk::{
    Call, Connector, Failure, Http, Method, Request, Response,
    reclaim::{BeforeImage, Observation, Plan, Target},
    testkit::{Bench, Scripted, ScriptedHttp, decode},
};

use crate::{bench, rows};

/// The vendor.
#[derive(Default)]
pub struct Shelf {
    answers: Vec<(String, Scripted)>,
    asked: RefCell<Vec<String>>,
    settings: Option<String>,
}

impl Http for Shelf {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        assert_eq!(request.method, Method::Get, "a component only reads");
        assert!(
            request.path_with_query.len() < 16_384,
            "Salesforce takes no longer URI"
        );
        let asked = decode(&request.path_with_query);
        let found = self
            .answers
            .iter()
            .rev()
            .find(|(text, _)| asked.contains(text));
        assert!(
            found.is_some() || asked.contains("/query?q="),
            "unexpected request {asked}"
        );
        let answer = found.map_or_else(|| rows(&[]), |(_, answer)| answer.clone());
        self.asked.borrow_mut().push(asked);
        let answer = answer.answer();
        Ok(Response {
            status: answer.status(),
            headers: vec![],
            body: answer.body().to_vec(),
        })
    }
}

impl Shelf {
    /// An org without anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// An org with these users and login rows.
    pub fn shows(users: &[String], logins: &[String]) -> Self {
        Self::new()
            .with("FROM User WHERE Id IN (", rows(users))
            .with("FROM UserLogin WHERE UserId IN (", rows(logins))
    }

    /// Queries that contain this text get this answer; what was put last counts.
    #[must_use]
    pub fn with(mut self, text: &str, answer: Scripted) -> Self {
        self.answers.push((text.to_owned(), answer));
        self
    }

    /// As [`Shelf::with`], with rows.
    #[must_use]
    pub fn holds(self, text: &str, found: &[&str]) -> Self {
        let found: Vec<String> = found.iter().map(|row| (*row).to_owned()).collect();
        self.with(text, rows(&found))
    }

    /// With those settings of the profile.
    #[must_use]
    pub fn settings(mut self, settings: &str) -> Self {
        self.settings = Some(settings.to_owned());
        self
    }

    /// Every path and query so far, percent-decoded.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }

    fn bench(&self) -> Bench {
        let bench = bench(ScriptedHttp::new());
        match &self.settings {
            Some(settings) => bench.settings(settings),
            None => bench,
        }
    }

    /// One plan per target.
    pub fn plans(&self, targets: &[Target]) -> Vec<Result<Plan, Failure>> {
        let bench = self.bench();
        Salesforce::plan_reclaim(&Call::new(&bench.ctx, self, &bench.log), targets).unwrap()
    }

    /// The plan of one target.
    pub fn plan(&self, target: Target) -> Plan {
        self.plans(&[target]).remove(0).unwrap()
    }

    /// The way back of one target.
    pub fn restore(&self, target: &Target, before: &BeforeImage) -> Result<Plan, Failure> {
        let bench = self.bench();
        Salesforce::plan_restore(&Call::new(&bench.ctx, self, &bench.log), target, before)
    }

    /// What is true of one target.
    pub fn observe(&self, target: Target) -> Observation {
        let bench = self.bench();
        Salesforce::observe(&Call::new(&bench.ctx, self, &bench.log), &[target])
            .unwrap()
            .remove(0)
    }
}
