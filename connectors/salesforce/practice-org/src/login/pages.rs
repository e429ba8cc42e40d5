//! The pages a person sees: sign in, allow or deny, the device's code. Plain HTML, no script; every text is escaped.

use crate::api::Answer;

/// Somebody to sign in as.
pub(crate) struct Face<'a> {
    pub(crate) username: &'a str,
    pub(crate) name: String,
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

fn page(status: u16, title: &str, main: &str) -> Answer {
    let title = escape(title);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>{title}</title><style>body{{font:16px/1.5 \
         system-ui,sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem}}button{{font:inherit;padding:.4rem \
         1rem;margin:.2rem}}input{{font:inherit;padding:.3rem;width:100%}}.wrong{{color:#a00}}</style></head>\
         <body><main><h1>{title}</h1>{main}<p><small>A practice org. No password is asked for.</small></p>\
         </main></body></html>\n"
    );
    Answer::text(status, "text/html;charset=UTF-8", html)
        .with("Cache-Control", "no-store")
        .with(
            "Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        )
}

/// Choose a user; `wrong` says why the one chosen before was not let in.
pub(crate) fn sign_in(
    action: &str,
    visit: &str,
    hint: &str,
    faces: &[Face<'_>],
    wrong: Option<&str>,
) -> Answer {
    let wrong = wrong.map_or_else(String::new, |text| {
        format!("<p class=\"wrong\" role=\"alert\">{}</p>", escape(text))
    });
    let (action, visit) = (escape(action), escape(visit));
    let open = format!(
        "<form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"visit\" value=\"{visit}\">"
    );
    let faces: String = faces
        .iter()
        .map(|face| {
            format!(
                "<li><button name=\"username\" value=\"{}\">{} <small>{}</small></button></li>",
                escape(face.username),
                escape(&face.name),
                escape(face.username)
            )
        })
        .collect();
    let main = format!(
        "{wrong}{open}<label>Username <input name=\"username\" value=\"{}\" autocomplete=\"username\"></label> \
         <button>Log In</button></form><h2>Or choose a user</h2>{open}<ul>{faces}</ul></form>",
        escape(hint)
    );
    page(200, "Login", &main)
}

/// Allow or deny.
pub(crate) fn consent(
    action: &str,
    visit: &str,
    app: &str,
    username: &str,
    scopes: &[String],
) -> Answer {
    let asked: String = scopes
        .iter()
        .map(|scope| {
            let says = match scope.as_str() {
                "api" => "Manage user data via APIs (api)",
                "refresh_token" | "offline_access" => {
                    "Perform requests at any time (refresh_token, offline_access)"
                }
                "full" => "Full access (full)",
                "web" => "Manage user data via Web browsers (web)",
                "id" | "openid" | "profile" | "email" => {
                    "Access the identity URL service (id, profile, email)"
                }
                "chatter_api" => "Access Connect REST API resources (chatter_api)",
                other => other,
            };
            format!("<li>{}</li>", escape(says))
        })
        .collect();
    let main = format!(
        "<p>{app} is asking to:</p><ul>{asked}</ul><p>Do you want to allow access for {username}?</p>\
         <form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"visit\" value=\"{visit}\">\
         <button name=\"decision\" value=\"deny\">Deny</button><button name=\"decision\" value=\"allow\">Allow</button></form>",
        app = escape(app),
        username = escape(username),
        action = escape(action),
        visit = escape(visit),
    );
    page(200, "Allow Access?", &main)
}

/// Where a person types the code that a device shows.
pub(crate) fn device(prefill: &str, wrong: Option<&str>) -> Answer {
    let wrong = wrong.map_or_else(String::new, |text| {
        format!("<p class=\"wrong\" role=\"alert\">{}</p>", escape(text))
    });
    let main = format!(
        "{wrong}<form method=\"post\" action=\"/setup/connect\"><label>Enter the code displayed on your device \
         <input name=\"user_code\" value=\"{}\" autocomplete=\"off\"></label> <button>Connect</button></form>",
        escape(prefill)
    );
    page(200, "Connect Your Device", &main)
}

/// Nothing more to do here.
pub(crate) fn end(title: &str, says: &str) -> Answer {
    page(200, title, &format!("<p>{}</p>", escape(says)))
}

/// A request that names no callback to be trusted stays on this page: `error=…&error_description=…`.
pub(crate) fn error(status: u16, form: &str) -> Answer {
    let main = format!("<p><code>{}</code></p>", escape(form));
    page(status, "OAuth Error", &main)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_texts_stay_texts() {
        let evil = "\"><script>alert('x')</script>";
        let face = Face {
            username: evil,
            name: evil.to_owned(),
        };
        let pages = [
            sign_in(evil, evil, evil, &[face], Some(evil)),
            consent(evil, evil, evil, evil, &[evil.to_owned()]),
            device(evil, Some(evil)),
            end(evil, evil),
            error(400, evil),
        ];
        for page in pages {
            let html = String::from_utf8(page.body).unwrap();
            assert!(!html.contains("<script"), "{html}");
            assert!(!html.contains("\"\">"), "{html}");
        }
    }
}
