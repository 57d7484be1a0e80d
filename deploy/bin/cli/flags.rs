//! Boolean flags as kingpin has them: `--x` is true, `--no-x` is false.

use std::ffi::OsString;

use clap::{ArgAction, ArgMatches, Command};

/// Lets each boolean flag of `command` and of its subcommands take an optional value (`--x`,
/// `--x=true`, `--x=false`), which is what [`spell_out`] rewrites `--no-x` to.
pub(crate) fn boolean_values(command: Command) -> Command {
    command
        .mut_args(|arg| {
            if !matches!(arg.get_action(), ArgAction::SetTrue) {
                return arg;
            }
            let has_default = !arg.get_default_values().is_empty();
            let arg = arg
                .action(ArgAction::Set)
                .value_parser(clap::value_parser!(bool))
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_name("BOOL")
                .hide_possible_values(true);
            if has_default { arg } else { arg.default_value("false") }
        })
        .mut_subcommands(boolean_values)
}

/// Rewrites `--no-x` to `--x=false` where `x` is a boolean flag in scope. What follows `--` stays.
pub(crate) fn spell_out(
    command: &Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Vec<OsString> {
    let mut scopes = vec![command];
    let mut verbatim = false;
    let mut spelled = Vec::new();
    for argument in arguments {
        let text = argument.to_str().unwrap_or_default();
        if let Some(name) = text.strip_prefix("--no-")
            && !verbatim
            && scopes.iter().any(|scope| is_boolean(scope, name))
        {
            spelled.push(format!("--{name}=false").into());
            continue;
        }
        verbatim |= text == "--";
        if let Some(inner) = scopes.last().and_then(|scope| scope.find_subcommand(text)) {
            scopes.push(inner);
        }
        spelled.push(argument);
    }
    spelled
}

/// The flags of the innermost subcommand with their values, as `/api/v1/status/flags` shows them.
/// Configurations may hold secrets: it is only said whether one is given.
pub(crate) fn values(command: &Command, matches: &ArgMatches) -> Vec<(String, String)> {
    let (mut command, mut matches) = (command, matches);
    while let Some((name, inner)) = matches.subcommand()
        && let Some(subcommand) = command.find_subcommand(name)
    {
        (command, matches) = (subcommand, inner);
    }
    let mut flags = Vec::new();
    for arg in command.get_arguments() {
        let Some(name) = arg.get_long() else { continue };
        let raw = matches.try_get_raw(arg.get_id().as_str()).ok().flatten();
        let given: Vec<String> =
            raw.into_iter().flatten().map(|v| v.to_string_lossy().into_owned()).collect();
        let secret = name.ends_with("config") && given.iter().any(|value| !value.is_empty());
        let value = if secret { "<secret>".to_owned() } else { given.join(",") };
        flags.push((name.to_owned(), value));
    }
    flags.sort_unstable();
    flags
}

fn is_boolean(command: &Command, name: &str) -> bool {
    command.get_arguments().any(|arg| {
        arg.get_long() == Some(name)
            && matches!(arg.get_action(), ArgAction::Set)
            && arg.is_require_equals_set()
            && arg.get_num_args().is_some_and(|range| range.min_values() == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    fn command() -> Command {
        let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
        boolean_values(
            Command::new("x").arg(flag("loud")).subcommand(
                Command::new("y")
                    .arg(flag("web.cors").default_value("true"))
                    .arg(Arg::new("label").long("label")),
            ),
        )
    }

    fn bools(arguments: &[&str]) -> (bool, bool) {
        let command = command();
        let spelled = spell_out(&command, arguments.iter().map(OsString::from));
        let matches = command.try_get_matches_from(spelled).expect("the arguments are right");
        let inner = matches.subcommand_matches("y").expect("y is given");
        (matches.get_flag("loud"), inner.get_flag("web.cors"))
    }

    #[test]
    fn no_means_false() {
        assert_eq!(bools(&["x", "y"]), (false, true));
        assert_eq!(bools(&["x", "--loud", "y", "--no-web.cors"]), (true, false));
        assert_eq!(bools(&["x", "--no-loud", "y", "--web.cors"]), (false, true));
        assert_eq!(bools(&["x", "y", "--web.cors=false"]), (false, false));
    }

    #[test]
    fn no_is_kept_where_it_means_nothing() {
        let command = command();
        let given = ["x", "y", "--no-label", "--", "--no-web.cors"];
        let spelled = spell_out(&command, given.iter().map(OsString::from));
        assert_eq!(spelled, given.map(OsString::from));
        let error = command.try_get_matches_from(["x", "y", "--no-label"]).expect_err("unknown");
        assert!(error.to_string().contains("--no-label"), "{error}");
    }
}
