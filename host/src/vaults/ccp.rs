//! CyberArk's Central Credential Provider: `GET /AIMWebService/api/Accounts` (GetAccount), by application id and free query.
//!
//! Source: CyberArk's documentation, *Central Credential Provider web service (REST)*: the parameters `AppID` and `Query`, the answer's
//! properties (`Content` is the password), and the error table (`ErrorCode`, `ErrorMsg`, status). The application is let in by the
//! address of this host, which the vault's administrator lists; no secret of ours goes there.

use std::collections::HashMap;

use http::{Request, StatusCode, header};
use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::model::Trouble;
use super::{Protocol, Vault, below};

/// The property that is taken when none is chosen.
const PASSWORD: &str = "Content";

/// See the module.
pub(super) struct Ccp;

/// An answer that is no account.
#[derive(Deserialize)]
struct Refusal {
    #[serde(rename = "ErrorCode")]
    code: String,
}

impl Protocol for Ccp {
    fn request(&self, vault: &Vault, _: &str, query: &str) -> Result<Request<Vec<u8>>, Trouble> {
        if !query.contains('=') {
            return Err(Trouble::Query(
                "it names no property, such as Safe=…;Object=…",
            ));
        }
        let mut url = below(vault, ["AIMWebService", "api", "Accounts"])?;
        url.query_pairs_mut()
            .append_pair("AppID", &vault.app_id)
            .append_pair("Query", query);
        Request::get(url.as_str())
            .header(header::ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_| Trouble::Query("it does not fit into an address"))
    }

    fn value(
        &self,
        status: StatusCode,
        body: &[u8],
        property: &str,
    ) -> Result<Zeroizing<String>, Trouble> {
        if !status.is_success() {
            let code = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.code);
            return Err(refused(status, code.as_deref().unwrap_or_default()));
        }
        let account: HashMap<&str, &RawValue> =
            serde_json::from_slice(body).map_err(|_| Trouble::Shape)?;
        let text = |name: &str| -> Option<Zeroizing<String>> {
            let raw = account.get(name)?;
            serde_json::from_str::<String>(raw.get())
                .ok()
                .map(Zeroizing::new)
        };
        // The account's other properties come with it; a password that is half-way through a change may be the wrong one.
        if text("PasswordChangeInProcess").is_some_and(|is| is.eq_ignore_ascii_case("true")) {
            return Err(Trouble::Changing);
        }
        let name = if property.is_empty() {
            PASSWORD
        } else {
            property
        };
        text(name)
            .filter(|text| !text.is_empty())
            .ok_or_else(|| Trouble::NoProperty(name.to_owned()))
    }
}

/// The documented error table; what is not in it is told by its status.
fn refused(status: StatusCode, code: &str) -> Trouble {
    match code {
        "APPAP004E" => Trouble::NotFound,
        "APPAP227E" | "APPAP228E" | "APPAP229E" => Trouble::Ambiguous,
        "APPAP306E" | "APPAP008E" | "APPAP133E" => Trouble::Denied,
        "APPAP282E" => Trouble::Changing,
        "APPAP007E" => Trouble::Sealed,
        "AIMWS030E" | "AIMWS031E" | "APPAP081E" | "CASVL010E" => {
            Trouble::Query("the vault does not understand it")
        }
        _ => match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Trouble::Denied,
            StatusCode::TOO_MANY_REQUESTS => Trouble::Busy,
            StatusCode::NOT_FOUND if !code.is_empty() => Trouble::NotFound,
            status if status.is_server_error() => Trouble::Sealed,
            _ => Trouble::Shape,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault() -> Vault {
        Vault {
            address: "https://ccp.corp.example".parse().unwrap(),
            app_id: "Seat wise".to_owned(),
            mount: String::new(),
            namespace: String::new(),
        }
    }

    #[test]
    fn the_query_goes_as_one_parameter_and_cannot_add_another() {
        let query = "Safe=SaaS;Object=acme&AppID=other";
        let asked = Ccp.request(&vault(), "", query).unwrap();
        assert_eq!(
            asked.uri().to_string(),
            "https://ccp.corp.example/AIMWebService/api/Accounts?AppID=Seat+wise&Query=Safe%3DSaaS%3BObject%3Dacme%26AppID%3Dother"
        );
        assert!(matches!(
            Ccp.request(&vault(), "", "acme"),
            Err(Trouble::Query(_))
        ));
    }

    #[test]
    fn the_password_is_taken_unless_another_property_is_chosen() {
        let body = br#"{"Content":"s3\u00fcret","UserName":"svc","Safe":"SaaS","PasswordChangeInProcess":"False","Port":7}"#;
        let value = |property| Ccp.value(StatusCode::OK, body, property);
        assert_eq!(value("").unwrap().as_str(), "s3\u{fc}ret");
        assert_eq!(value("UserName").unwrap().as_str(), "svc");
        for none in ["Nothing", "Port"] {
            assert_eq!(value(none), Err(Trouble::NoProperty(none.to_owned())));
        }
        let changing = br#"{"Content":"old","PasswordChangeInProcess":"True"}"#;
        assert_eq!(
            Ccp.value(StatusCode::OK, changing, ""),
            Err(Trouble::Changing)
        );
        assert_eq!(
            Ccp.value(StatusCode::OK, b"<html>", ""),
            Err(Trouble::Shape)
        );
    }

    #[test]
    fn each_documented_error_has_its_own_name() {
        for (status, code, trouble) in [
            (404, "APPAP004E", Trouble::NotFound),
            (400, "APPAP227E", Trouble::Ambiguous),
            (400, "APPAP228E", Trouble::Ambiguous),
            (400, "APPAP229E", Trouble::Ambiguous),
            (403, "APPAP306E", Trouble::Denied),
            (403, "APPAP008E", Trouble::Denied),
            (500, "APPAP282E", Trouble::Changing),
            (400, "APPAP007E", Trouble::Sealed),
            (
                400,
                "AIMWS030E",
                Trouble::Query("the vault does not understand it"),
            ),
            (500, "", Trouble::Sealed),
            (404, "", Trouble::Shape),
            (302, "", Trouble::Shape),
        ] {
            let body = format!("{{\"ErrorCode\":\"{code}\",\"ErrorMsg\":\"x\"}}");
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                Ccp.value(status, body.as_bytes(), ""),
                Err(trouble),
                "{code}"
            );
        }
    }
}
