//! Query jobs of Bulk API 2.0.

use super::*;

impl Client {
    async fn job(&self, soql: &str) -> Reply {
        let body = json!({"operation": "query", "query": soql});
        self.with_body(Method::POST, "/jobs/query", body).await
    }

    /// A job that is complete: its id.
    async fn complete(&self, soql: &str) -> String {
        let made = self.job(soql).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        for _ in 0..5 {
            let told = self.get(&format!("/jobs/query/{id}")).await.json();
            if told["state"] == "JobComplete" {
                return id;
            }
        }
        panic!("the job did not complete");
    }

    async fn results(&self, id: &str, parameters: &str) -> Reply {
        let path = format!("/jobs/query/{id}/results{parameters}");
        self.send(self.call(Method::GET, &path).header("Accept", "text/csv"))
            .await
    }
}

fn rows(reply: &Reply) -> Vec<Vec<String>> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    let mut reader = csv::Reader::from_reader(reply.text.as_bytes());
    let rows: Vec<Vec<String>> = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    let announced: usize = reply
        .header("Sforce-NumberOfRecords")
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(rows.len(), announced);
    rows
}

#[tokio::test]
async fn a_job_goes_from_upload_complete_to_complete_and_tells_what_it_is() {
    let client = Client::of(example()).await;
    let made = client.job("SELECT Id FROM User").await.json();
    assert_eq!(
        (made["state"].as_str(), made["apiVersion"].as_f64()),
        (Some("UploadComplete"), Some(62.0))
    );
    assert!(made["apiVersion"].is_number());
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("750") && id.len() == 18);
    let path = format!("/jobs/query/{id}");
    let waiting = client.get(&path).await.json();
    assert_eq!(waiting["state"], "InProgress");
    assert_eq!(
        client.results(id, "").await.refusal(),
        (400, "INVALIDJOBSTATE".to_owned())
    );
    let told = client.get(&path).await.json();
    let people = example().people.len();
    assert_eq!(
        (told["state"].as_str(), told["jobType"].as_str()),
        (Some("JobComplete"), Some("V2Query"))
    );
    assert_eq!(told["numberRecordsProcessed"], people);
    let listed = client.get("/jobs/query").await.json();
    assert_eq!(listed["records"][0]["id"], id);
    let classic = client.get("/jobs/query?jobType=Classic").await.json();
    assert_eq!(classic["records"], json!([]));
    assert_eq!(client.control().requests("POST bulk"), 1);
}

#[tokio::test]
async fn a_job_takes_the_time_of_the_orgs_clock_where_told_and_results_are_kept_a_week() {
    let mut spec = example();
    spec.session_ms = i64::MAX / 4;
    let client = Client::of(spec).await;
    client.control().set_now(Some(worked_example::T0_MS));
    client.faults("bulk_ms=60000");
    let made = client.job("SELECT Id FROM User").await.json();
    let id = made["id"].as_str().unwrap();
    let path = format!("/jobs/query/{id}");
    for _ in 0..5 {
        assert_eq!(client.get(&path).await.json()["state"], "InProgress");
    }
    client
        .control()
        .set_now(Some(worked_example::T0_MS + 60_000));
    assert_eq!(client.get(&path).await.json()["state"], "JobComplete");
    assert_eq!(client.results(id, "").await.status, 200);
    client
        .control()
        .set_now(Some(worked_example::T0_MS + 8 * 86_400_000));
    assert_eq!(client.results(id, "").await.status, 404);
}

#[tokio::test]
async fn results_come_in_pages_whose_last_locator_is_the_word_null() {
    let client = Client::of(crowd(2_600)).await;
    let id = client
        .complete("SELECT Id, Profile.UserLicense.LicenseDefinitionKey FROM User")
        .await;
    let (mut ids, mut parameters, mut pages) = (
        std::collections::BTreeSet::new(),
        "?maxRecords=1000".to_owned(),
        0,
    );
    loop {
        let page = client.results(&id, &parameters).await;
        assert!(
            page.text
                .starts_with("\"Id\",\"Profile.UserLicense.LicenseDefinitionKey\"\n")
        );
        ids.extend(rows(&page).into_iter().map(|row| row[0].clone()));
        pages += 1;
        match page.header("Sforce-Locator").unwrap() {
            "null" => break,
            locator => parameters = format!("?maxRecords=1000&locator={locator}"),
        }
    }
    assert_eq!((ids.len(), pages), (2_601, 3));
    let whole = client.results(&id, "").await;
    assert_eq!(rows(&whole).len(), 2_601);
    client.faults("bulk_page=600");
    let short = client.results(&id, "?maxRecords=1000").await;
    assert_eq!(rows(&short).len(), 600);
    client.faults("bulk_no_last_locator=1");
    assert_eq!(client.results(&id, "").await.header("Sforce-Locator"), None);
    assert_eq!(
        client.results(&id, "?locator=nonsense").await.refusal().1,
        "INVALIDLOCATOR"
    );
}

#[tokio::test]
async fn a_result_keeps_its_rows_when_records_change_and_can_be_read_again() {
    let client = Client::of(example()).await;
    let id = client
        .complete("SELECT Id, IsActive FROM User WHERE IsActive = true")
        .await;
    let before = rows(&client.results(&id, "").await).len();
    let dee = example().user_id_of("dee@example.com").unwrap();
    client
        .with_body(
            Method::PATCH,
            &format!("/sobjects/User/{dee}"),
            json!({"IsActive": false}),
        )
        .await;
    assert_eq!(rows(&client.results(&id, "").await).len(), before);
}

#[tokio::test]
async fn cells_are_quoted_and_moments_end_in_z() {
    let mut spec = example();
    spec.people[0].title = "says \"hi\",\r\n=1+1; ok".to_owned();
    let client = Client::of(spec).await;
    let id = client
        .complete("SELECT Title, IsActive, CreatedDate, LastLoginDate FROM User LIMIT 1")
        .await;
    let reply = client.results(&id, "").await;
    let row = &rows(&reply)[0];
    assert_eq!(
        (row[0].as_str(), row[1].as_str()),
        ("says \"hi\",\r\n=1+1; ok", "true")
    );
    assert!(row[2].ends_with(".000Z"), "{}", row[2]);
    let body = json!({"operation": "queryAll", "query": "SELECT Id, IsActive FROM User LIMIT 1", "columnDelimiter": "PIPE", "lineEnding": "CRLF"});
    let made = client
        .with_body(Method::POST, "/jobs/query", body)
        .await
        .json();
    assert_eq!(
        (
            made["columnDelimiter"].as_str(),
            made["lineEnding"].as_str()
        ),
        (Some("PIPE"), Some("CRLF"))
    );
    let id = made["id"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        client.get(&format!("/jobs/query/{id}")).await;
    }
    assert!(
        client
            .results(&id, "")
            .await
            .text
            .starts_with("\"Id\"|\"IsActive\"\r\n\"")
    );
}

#[tokio::test]
async fn a_result_is_compressed_for_those_who_ask() {
    use std::io::Read as _;
    let client = Client::of(crowd(5_000)).await;
    let id = client.complete("SELECT Id, Username FROM User").await;
    let plain = client.results(&id, "").await.text;
    let request = client.call(Method::GET, &format!("/jobs/query/{id}/results"));
    let zipped = request
        .header("Accept", "text/csv")
        .header("Accept-Encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    let bytes = zipped.bytes().await.unwrap();
    assert!(bytes.len() < plain.len() / 2);
    let mut text = String::new();
    flate2::read::GzDecoder::new(&bytes[..])
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, plain);
}

#[tokio::test]
async fn what_bulk_does_not_take_is_refused() {
    let client = Client::of(example()).await;
    for (soql, code) in [
        ("SELECT COUNT() FROM User", "API_ERROR"),
        ("SELECT Id FROM User OFFSET 10", "API_ERROR"),
        (
            "SELECT UserType, COUNT(Id) FROM User GROUP BY UserType",
            "API_ERROR",
        ),
        ("SELECT MAX(LastLoginDate) FROM User", "API_ERROR"),
        (
            "SELECT Id, (SELECT Id FROM PermissionSetLicenseAssignments) FROM User",
            "API_ERROR",
        ),
        ("SELECT Id FROM LoginEvent", "INVALIDENTITY"),
        ("SELECT Id FROM UserPermissionAccess", "INVALIDENTITY"),
        ("SELECT Nope FROM User", "INVALID_FIELD"),
        ("SELECT Id FROM", "MALFORMED_QUERY"),
    ] {
        assert_eq!(
            client.job(soql).await.refusal(),
            (400, code.to_owned()),
            "{soql}"
        );
    }
    let id = client.complete("SELECT Id FROM User").await;
    let version = client
        .get(&format!("/services/data/v61.0/jobs/query/{id}"))
        .await;
    assert_eq!(version.status, 409);
    let slash = client
        .get(&format!("/services/data/v62.0/jobs/query//{id}"))
        .await;
    assert_eq!(slash.status, 404);
    assert_eq!(
        client
            .get(&format!("/jobs/query/{id}/results"))
            .await
            .status,
        406
    );
}

#[tokio::test]
async fn a_job_is_aborted_or_deleted_when_its_state_allows() {
    let client = Client::of(example()).await;
    let id = client.job("SELECT Id FROM User").await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/jobs/query/{id}");
    let delete = || client.send(client.call(Method::DELETE, &path));
    assert_eq!(
        delete().await.refusal(),
        (400, "INVALIDJOBSTATE".to_owned())
    );
    let aborted = client
        .with_body(Method::PATCH, &path, json!({"state": "Aborted"}))
        .await;
    assert_eq!(
        (aborted.status, aborted.json()["state"].as_str()),
        (200, Some("Aborted"))
    );
    assert_eq!(client.get(&path).await.json()["state"], "Aborted");
    let again = client
        .with_body(Method::PATCH, &path, json!({"state": "Aborted"}))
        .await;
    assert_eq!(again.refusal(), (400, "INVALIDJOBSTATE".to_owned()));
    assert_eq!(delete().await.status, 204);
    assert_eq!(client.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_job_fails_or_never_ends_as_told_and_the_days_jobs_are_counted() {
    let client = Client::of(example()).await;
    client.faults("bulk_fails=1");
    let path = format!(
        "/jobs/query/{}",
        client.job("SELECT Id FROM User").await.json()["id"]
            .as_str()
            .unwrap()
    );
    client.get(&path).await;
    let failed = client.get(&path).await.json();
    assert_eq!(failed["state"], "Failed");
    assert!(
        failed["errorMessage"]
            .as_str()
            .unwrap()
            .starts_with("Timeout")
    );
    client.faults("bulk_never_ends=1");
    let path = format!(
        "/jobs/query/{}",
        client.job("SELECT Id FROM User").await.json()["id"]
            .as_str()
            .unwrap()
    );
    for _ in 0..20 {
        assert_eq!(client.get(&path).await.json()["state"], "InProgress");
    }
    client.faults("bulk_jobs_used=9997");
    assert_eq!(
        client.get("/limits").await.json()["DailyBulkV2QueryJobs"]["Remaining"],
        1
    );
    assert_eq!(client.job("SELECT Id FROM User").await.status, 200);
    assert_eq!(
        client.job("SELECT Id FROM User").await.refusal(),
        (400, "EXCEEDEDQUOTA".to_owned())
    );
}

#[tokio::test]
async fn bulk_and_query_give_the_same_rows() {
    let client = Client::of(crowd(300)).await;
    let soql = "SELECT Id, Name, Profile.Name FROM User WHERE IsActive = true ORDER BY Name DESC";
    let id = client.complete(soql).await;
    let bulk = rows(&client.results(&id, "").await);
    let page = client.query(soql).await.json();
    let rest: Vec<Vec<String>> = page["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            [&row["Id"], &row["Name"], &row["Profile"]["Name"]]
                .map(|cell| cell.as_str().unwrap_or_default().to_owned())
                .to_vec()
        })
        .collect();
    assert!(bulk.len() > 100);
    assert_eq!(bulk, rest);
}

#[tokio::test]
async fn logins_are_read_whole_with_the_columns_of_a_query() {
    let mut spec = crowd(200);
    spec.logins_per_user = 20;
    let client = Client::of(spec).await;
    let soql = "SELECT Id, UserId, LoginTime, LoginType, Status FROM LoginHistory";
    let count = client
        .query("SELECT COUNT() FROM LoginHistory")
        .await
        .json()["totalSize"]
        .as_u64();
    let id = client.complete(soql).await;
    let bulk = rows(&client.results(&id, "").await);
    assert!(bulk.len() > 1_000);
    assert_eq!(count, Some(bulk.len() as u64));
    let ids: std::collections::BTreeSet<_> = bulk.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(ids.len(), bulk.len());
    assert!(bulk.iter().all(|row| row[2].ends_with('Z')));
}

#[tokio::test]
async fn a_long_result_comes_in_pieces() {
    let client = Client::of(crowd(30_000)).await;
    let id = client.complete("SELECT Id, Username, Name FROM User").await;
    let request = client.call(Method::GET, &format!("/jobs/query/{id}/results"));
    let mut answer = request.header("Accept", "text/csv").send().await.unwrap();
    assert!(!answer.headers().contains_key("content-length"));
    let (mut pieces, mut lines) = (0, 0);
    while let Some(piece) = answer.chunk().await.unwrap() {
        pieces += 1;
        lines += piece.iter().filter(|byte| **byte == b'\n').count();
    }
    assert_eq!(lines, 30_002);
    assert!(pieces > 10, "{pieces}");
}
