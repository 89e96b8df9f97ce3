//! `user[:group]` → numbers, by the /etc/passwd and /etc/group of the container's own root.
//!
//! Both files are untrusted: at most 1 MiB of each is given here, lines that make no sense are
//! passed over, and a name made of digits is a number (and never more than 32 bits of one).

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::spec::User;
use super::steps::Names;

/// Who the program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: Option<String>,
}

/// A name that the root does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotFound {
    /// `user` or `group`.
    pub what: &'static str,
    pub name: String,
}

impl core::fmt::Display for NotFound {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let file = if self.what == "user" { "passwd" } else { "group" };
        write!(f, "{} `{}` is not in the image's /etc/{file}", self.what, self.name)
    }
}

struct Passwd<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn passwd(text: &str) -> impl Iterator<Item = Passwd<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let (uid, gid) = (fields.nth(1)?, fields.next()?);
        let home = fields.nth(1).unwrap_or_default();
        Some(Passwd { name, uid: number(uid)?, gid: number(gid)?, home })
    })
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

fn group(text: &str) -> impl Iterator<Item = Group<'_>> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let gid = number(fields.nth(1)?)?;
        Some(Group { name, gid, members: fields.next().unwrap_or_default() })
    })
}

/// Digits only: `+5`, ` 5` and numbers above 32 bits are names (that nobody has).
fn number(text: &str) -> Option<u32> {
    // The largest is nobody's: to the kernel it says that nothing is meant.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?.filter(|id| *id != u32::MAX)
}

/// Looks the user up.
///
/// # Errors
/// [`NotFound`] for a name that the root does not have; numbers need not be there.
pub fn resolve(
    user: &User,
    names: &Names,
    passwd_text: &str,
    group_text: &str,
) -> Result<Resolved, NotFound> {
    let mut resolved =
        Resolved { uid: user.uid, gid: user.gid, groups: user.additional_gids.clone(), home: None };
    let mut name = None;
    let (user_part, group_part) = match &names.user {
        None => (None, None),
        Some(text) => match text.split_once(':') {
            None => (Some(text.as_str()), None),
            Some((user, group)) => (Some(user), Some(group)),
        },
    };
    let found = match user_part {
        Some(text) => {
            let as_number = number(text);
            let found = passwd(passwd_text).find(|entry| match as_number {
                Some(uid) => entry.uid == uid,
                None => entry.name == text,
            });
            match (as_number, &found) {
                (Some(uid), _) => resolved.uid = uid,
                (None, Some(entry)) => resolved.uid = entry.uid,
                (None, None) => return Err(NotFound { what: "user", name: text.to_string() }),
            }
            found
        }
        None => passwd(passwd_text).find(|entry| entry.uid == resolved.uid),
    };
    if let Some(entry) = found {
        if user_part.is_some() {
            resolved.gid = entry.gid;
        }
        resolved.home = Some(entry.home.to_string()).filter(|home| home.starts_with('/'));
        name = Some(entry.name);
    }
    match group_part {
        Some(text) => resolved.gid = group_id(text, group_text)?,
        // As login does: whoever was looked up belongs to the groups that list it.
        None => {
            if let Some(name) = name
                && user_part.is_some()
            {
                let listed = group(group_text)
                    .filter(|entry| entry.members.split(',').any(|member| member == name))
                    .map(|entry| entry.gid);
                resolved.groups.extend(listed);
            }
        }
    }
    for text in &names.groups {
        resolved.groups.push(group_id(text, group_text)?);
    }
    Ok(resolved)
}

/// The name of a user, by the root's /etc/passwd.
#[must_use]
pub fn user_name(uid: u32, passwd_text: &str) -> Option<&str> {
    passwd(passwd_text).find(|entry| entry.uid == uid && !entry.name.is_empty()).map(|entry| entry.name)
}

fn group_id(text: &str, group_text: &str) -> Result<u32, NotFound> {
    number(text)
        .or_else(|| group(group_text).find(|entry| entry.name == text).map(|entry| entry.gid))
        .ok_or_else(|| NotFound { what: "group", name: text.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:101:102::/srv:/bin/false\n\
                          5000:x:7:7::/trap:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nweb:x:102:\nadm:x:4:web,other\ntty:x:5:web\n";

    fn check(username: Option<&str>, groups: &[&str], expected: Result<(u32, u32, &[u32]), &str>) {
        let names = Names {
            user: username.map(String::from),
            groups: groups.iter().map(ToString::to_string).collect(),
        };
        let found = resolve(&User::default(), &names, PASSWD, GROUP);
        let found = found.as_ref().map(|r| (r.uid, r.gid, r.groups.as_slice())).map_err(|e| e.to_string());
        assert_eq!(found, expected.map_err(String::from), "{username:?}");
    }

    #[test]
    fn names_and_numbers_mean_what_they_mean_in_the_image() {
        check(None, &[], Ok((0, 0, &[])));
        check(Some("web"), &[], Ok((101, 102, &[4, 5])));
        check(Some("web:adm"), &[], Ok((101, 4, &[])));
        check(Some("101"), &[], Ok((101, 102, &[4, 5])));
        check(Some("77:88"), &["adm", "9"], Ok((77, 88, &[4, 9])));
        check(Some("77"), &[], Ok((77, 0, &[])));
    }

    #[test]
    fn a_user_has_the_first_name_that_the_image_gives() {
        assert_eq!(user_name(101, PASSWD), Some("web"));
        assert_eq!(user_name(9, PASSWD), None);
        assert_eq!(user_name(9, ":x:9:9::/:\n"), None);
    }

    #[test]
    fn a_number_is_never_taken_for_a_name() {
        check(Some("5000"), &[], Ok((5000, 0, &[])));
        check(Some("4294967296"), &[], Err("user `4294967296` is not in the image's /etc/passwd"));
    }

    #[test]
    fn a_name_that_is_not_there_is_named() {
        check(Some("nobody"), &[], Err("user `nobody` is not in the image's /etc/passwd"));
        check(Some("web:wheel"), &[], Err("group `wheel` is not in the image's /etc/group"));
        check(None, &["wheel"], Err("group `wheel` is not in the image's /etc/group"));
    }

    #[test]
    fn binary_rubbish_is_passed_over() {
        let names = Names { user: Some("web".into()), ..Names::default() };
        let rubbish = "\u{0}\u{1}:::\n:::::::\nweb:x:99999999999:1::/:\nweb:x:101:102::relative:/bin/sh";
        let found = resolve(&User::default(), &names, rubbish, ":::\n").unwrap();
        assert_eq!((found.uid, found.gid, found.home), (101, 102, None));
    }
}
