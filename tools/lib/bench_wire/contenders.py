"""What is compared: servers that answer themselves, and pass-throughs in front of one owner. Each starts as its own process.

Every contender gets the same number of threads and a configuration at its best: nothing logged, connections kept.
"""

import dataclasses
import json
import pathlib
import shutil
import time

from load import METHOD
from process import BenchError, Process, free_port, run

HERE = pathlib.Path(__file__).parent
SPACE = "bench"
NAMES = ["engram", "wire", "grpc", "nghttpx", "haproxy", "nginx"]
LABELS = {
    ("direct", "engram"): "engram: get at its owner",
    ("direct", "wire"): "our engine, ready-made answer",
    ("direct", "grpc"): "gRPC C++ completion queue, ready-made answer",
    ("one hop", "engram"): "engram: through another node",
    ("one hop", "wire"): "our engine, bare pass-through",
    ("one hop", "grpc"): "gRPC C++ completion queue, generic pass-through",
    ("one hop", "nghttpx"): "nghttpx",
    ("one hop", "haproxy"): "haproxy",
    ("one hop", "nginx"): "nginx",
}


@dataclasses.dataclass(frozen=True)
class Contender:
    way: str  # "direct" or "one hop"
    name: str
    front: Process  # what is called
    owner: Process  # what answers; the same as `front` when direct

    @property
    def label(self):
        return LABELS[self.way, self.name]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all contenders of one comparison share."""
    body_bytes: int
    tls: bool
    threads: int
    directory: pathlib.Path
    programs: dict  # name -> path
    certificate: str = None  # PEM files, with `tls`
    key: str = None


def find_programs(build):
    """Name -> path of everything that is installed or built."""
    found = {"engram": shutil.which("engram", path=build)}
    for name in ("our_server", "our_pass_through", "grpc_server", "grpc_pass_through", "grpc_load"):
        found[name] = shutil.which(name, path=f"{build}/bin/wire")
    for name in ("h2load", "nghttp", "nghttpx", "haproxy", "nginx", "openssl"):
        found[name] = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    return found


class Comparison:
    """Starts the contenders of one setting. All are children of `processes`."""

    def __init__(self, setting, processes, names):
        self.setting, self.processes, self.names = setting, processes, names
        self.nodes = self.start_cluster()
        self.memory = "m" * 8
        self.body, self.framed_body = self.write_request()
        self.owner_node, self.other_node = self.store_memory()
        self.answer = self.write_answer()
        self.contenders = list(self.direct()) + list(self.one_hop())

    def start(self, program, *arguments, **options):
        path = self.setting.programs[program]
        return self.processes.start([path, *map(str, arguments)], f"{self.setting.directory}/{program}.log", **options)

    def tls_arguments(self):
        return ["--certificate", self.setting.certificate, "--key", self.setting.key] if self.setting.tls else []

    # ---- the memory and its owner

    def start_cluster(self):
        ports = [free_port(), free_port()]
        seeds = [[], ["--seeds", f"127.0.0.1:{ports[0]}"]]
        nodes = [self.start("engram", "serve", "--node-id", f"node-{i}", "--data-dir", f"{self.setting.directory}/node-{i}",
                            "--listen", f"127.0.0.1:{port}", "--http", "off", "--loops", self.setting.threads,
                            "--gossip", f"127.0.0.1:{free_port()}", "--durability", "process", "--log-level", "warn",
                            *seeds[i], ready_port=port) for i, port in enumerate(ports)]
        self.await_whole(nodes)
        return nodes

    def await_whole(self, nodes):
        deadline = time.monotonic() + 30
        for node in nodes:
            command = (self.setting.programs["engram"], "status", "--json", "--node", node.address)
            while json.loads(run(*command))["reachable"] < len(nodes):
                if time.monotonic() > deadline:
                    raise BenchError("the nodes have not found each other")
                time.sleep(0.05)

    def engram(self, *arguments):
        return run(self.setting.programs["engram"], *arguments, "--node", self.nodes[0].address)

    def store_memory(self):
        self.engram("store", "--space", SPACE, "--id", self.memory, "x" * self.setting.body_bytes)
        primary = json.loads(self.engram("route", SPACE, "--json"))["primary"]["id"]
        owner = int(primary.removeprefix("node-"))
        return self.nodes[owner], self.nodes[1 - owner]

    def write_request(self):
        """GetRequest: fields 1 and 2."""
        fields = b"".join(bytes([tag, len(value)]) + value.encode() for tag, value in ((0x0A, SPACE), (0x12, self.memory)))
        body, framed = self.setting.directory / "request", self.setting.directory / "request-framed"
        body.write_bytes(fields)
        framed.write_bytes(b"\0" + len(fields).to_bytes(4, "big") + fields)
        return str(body), str(framed)

    def write_answer(self):
        """The very bytes of the owner's answer, for those who answer with ready-made ones."""
        framed = run(self.setting.programs["nghttp"], "-d", self.framed_body, "-H", "content-type: application/grpc",
                     "-H", "te: trailers", f"http://{self.owner_node.address}{METHOD}")
        if len(framed) < 5 + self.setting.body_bytes:
            raise BenchError(f"the owner answered {len(framed)} bytes")
        answer = self.setting.directory / "answer"
        answer.write_bytes(framed[5:])
        return str(answer)

    # ---- who answers

    def direct(self):
        if self.wanted("engram") and not self.setting.tls:
            yield Contender("direct", "engram", self.owner_node, self.owner_node)
        for name, program in (("wire", "our_server"), ("grpc", "grpc_server")):
            if self.wanted(name) and self.setting.programs[program]:
                server = self.start(program, "--answer", self.answer, "--threads", self.setting.threads, *self.tls_arguments())
                yield Contender("direct", name, server, server)

    # ---- who passes on

    def one_hop(self):
        owner = self.owner_of_hops()
        if self.wanted("engram") and not self.setting.tls:
            yield Contender("one hop", "engram", self.other_node, owner)
        for name, program in (("wire", "our_pass_through"), ("grpc", "grpc_pass_through")):
            if self.wanted(name) and self.setting.programs[program]:
                front = self.start(program, "--to", owner.address, "--threads", self.setting.threads, *self.tls_arguments())
                yield Contender("one hop", name, front, owner)
        for name, starter in (("nghttpx", self.nghttpx), ("haproxy", self.haproxy), ("nginx", self.nginx)):
            if self.wanted(name) and self.setting.programs[name]:
                yield Contender("one hop", name, starter(owner, free_port()), owner)

    def owner_of_hops(self):
        """The memory's owner; with TLS our bare engine, until nodes have TLS."""
        if not self.setting.tls:
            return self.owner_node
        return self.start("our_server", "--answer", self.answer, "--threads", self.setting.threads, *self.tls_arguments())

    def wanted(self, name):
        return not self.names or name in self.names

    def configuration(self, name, **values):
        text = (HERE / name).read_text(encoding="utf-8")
        path = self.setting.directory / name
        path.write_text(text.format(threads=self.setting.threads, directory=self.setting.directory, **values),
                        encoding="utf-8")
        return path

    def nghttpx(self, owner, port):
        host, owner_port = owner.address.split(":")
        setting, tls = self.setting, self.setting.tls
        certificate = f"private-key-file={setting.key}\ncertificate-file={setting.certificate}\ninsecure=yes" if tls else ""
        path = self.configuration("nghttpx.conf", port=port, owner_host=host, owner_port=owner_port, certificate=certificate,
                                  frontend_options="" if tls else ";no-tls", backend_options=";tls" if tls else "")
        return self.start("nghttpx", f"--conf={path}", ready_port=port)

    def haproxy(self, owner, port):
        bind, server = "proto h2", "proto h2"
        if self.setting.tls:
            pem = self.setting.directory / "haproxy.pem"
            pem.write_text(pathlib.Path(self.setting.certificate).read_text(encoding="ascii") +
                           pathlib.Path(self.setting.key).read_text(encoding="ascii"), encoding="ascii")
            bind, server = f"ssl crt {pem} alpn h2", "ssl verify none alpn h2 proto h2"
        path = self.configuration("haproxy.cfg", port=port, owner=owner.address, bind_options=bind, server_options=server)
        return self.start("haproxy", "-db", "-q", "-f", path, ready_port=port)

    def nginx(self, owner, port):
        setting = self.setting
        certificate = f"ssl_certificate {setting.certificate}; ssl_certificate_key {setting.key};" if setting.tls else ""
        path = self.configuration("nginx.conf", port=port, owner=owner.address, certificate=certificate,
                                  master_process="off" if setting.threads == 1 else "on",
                                  listen_options="ssl" if setting.tls else "",
                                  backend_scheme="grpcs" if setting.tls else "grpc")
        return self.start("nginx", "-e", f"{setting.directory}/nginx.log", "-c", path, ready_port=port)
