// SPDX-License-Identifier: GPL-2.0-or-later

// go-qemu at work: one monitor over a unix socket, one over TCP. It sends no ids, and takes what comes for the answer.
//
//	go-qemu UNIX-PATH HOST:PORT
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/digitalocean/go-qemu/qemu"
	"github.com/digitalocean/go-qemu/qmp"
	"github.com/digitalocean/go-qemu/qmp/raw"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func connect(network, address string) *qmp.SocketMonitor {
	monitor, err := qmp.NewSocketMonitor(network, address, 10*time.Second)
	must(err)
	must(monitor.Connect())
	return monitor
}

func run(monitor qmp.Monitor, command string, result interface{}) {
	reply, err := monitor.Run([]byte(command))
	must(err)
	must(json.Unmarshal(reply, &struct{ Return interface{} }{result}))
}

// Commands of QEMU and of the guest, by turns; the last is refused, and the next is served again.
func work(monitor qmp.Monitor) {
	var echo int
	var name struct{ Name string }
	for number := 0; number < 100; number++ {
		run(monitor, fmt.Sprintf(`{"execute": "guest-sync", "arguments": {"id": %d}}`, number), &echo)
		run(monitor, `{"execute": "query-name"}`, &name)
		if echo != number || name.Name != os.Getenv("NAME") {
			log.Fatalf("guest-sync %d said %d, query-name said %q", number, echo, name.Name)
		}
	}
	if _, err := monitor.Run([]byte(`{"execute": "guest-nonsense"}`)); err == nil {
		log.Fatal("nonsense was carried out")
	}
	run(monitor, `{"execute": "guest-ping"}`, &struct{}{})
}

func main() {
	unix, tcp := connect("unix", os.Args[1]), connect("tcp", os.Args[2])
	work(unix)
	work(tcp)

	// The package's own wrappers, generated from QEMU's schema.
	status, err := raw.NewMonitor(unix).QueryStatus()
	must(err)
	if !status.Running {
		log.Fatal("the machine does not run")
	}

	domain, err := qemu.NewDomain(tcp, "specimen")
	must(err)
	commands, err := domain.Commands()
	must(err)
	known := map[string]bool{}
	for _, command := range commands {
		known[command] = true
	}
	if !known["query-name"] || !known["guest-ping"] {
		log.Fatal("a command is not listed")
	}

	// What one does, the other hears of.
	events, done, err := domain.Events()
	must(err)
	stopped := make(chan struct{})
	go func() {
		run(unix, `{"execute": "stop"}`, &struct{}{})
		close(stopped)
	}()
	if event := <-events; event.Event != "STOP" {
		log.Fatalf("STOP expected, not %s", event.Event)
	}
	<-stopped // the event comes before the reply, which is still to be read
	done <- struct{}{}
	must(unix.Disconnect())
	must(domain.Close())
	fmt.Println("done")
}
