%% Read by Erlang before anything else. The folders of plugins leave the code path (setup.sh says why; RabbitMQ adds
%% those of enabled plugins itself), and those with the most modules come first.
App = fun(Path) -> hd(string:split(filename:basename(filename:dirname(Path)), "-")) end.
Idle = fun(Path) -> lists:prefix("rabbitmq_", App(Path)) andalso App(Path) =/= "rabbitmq_prelaunch" end.
First = ["kernel", "stdlib", "rabbit", "ssl", "rabbit_common", "inets", "compiler", "ra", "xmerl", "mnesia"].
Paths = [Path || Path <- code:get_path(), not Idle(Path)].
Hot = [Path || Name <- First, Path <- Paths, App(Path) =:= Name].
code:set_path(Hot ++ (Paths -- Hot)).
