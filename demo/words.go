package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/thermie/thermie/metering"
)

var opening = metering.Text{FR: "Ouverture", EN: "Opening"}

const greeting = `
%[1]s

  http://%[2]s

%[3]s
  installatrice@port-fictif.example    %[4]s
  laiterie@port-fictif.example         %[5]s
  animatrice@port-fictif.example       %[6]s
  verificateur@port-fictif.example     %[7]s
  financeur@port-fictif.example        %[8]s
  administrateur@port-fictif.example   %[9]s
%[10]s

`

// greet prints the address and what to try.
func (d *demo) greet() {
	t := func(fr, en string) string { return metering.Text{FR: fr, EN: en}.In(d.o.Lang) }
	fmt.Fprintf(d.o.Out, greeting,
		t("Port du Rhin fictif : données synthétiques, rien n'est réel. Ouvrez", "Fictional Rhine port: synthetic data, nothing is real. Open"),
		d.server.Address(),
		t("Mot de passe de tous : ", "Everyone's password: ")+d.state.Password,
		t("passerelles, compteurs, pannes", "gateways, meters, faults"),
		t("ses données, ce qu'elle gagne, ce que les autres voient", "its data, what it gains, what others see"),
		t("économies du trimestre, synergie 2 qui dérive, gisements", "this quarter's savings, synergy 2 drifting, opportunities"),
		t("dossier complet d'un trimestre", "a quarter's whole dossier"),
		t("indicateurs, rapport scellé à vérifier hors ligne", "indicators, a sealed report to verify offline"),
		t("comptes et journal", "accounts and audit trail"),
		t("Ctrl-C arrête ; un second démarrage reprend là où celui-ci s'est arrêté.", "Ctrl-C stops; a second start goes on where this one stopped."))
}

// farewell says that everything is safe and how to go on.
func (d *demo) farewell() {
	fmt.Fprintln(d.o.Out, metering.Text{
		FR: "Arrêté. Tout est dans " + d.o.Data + " ; la même commande reprend là où celle-ci s'est arrêtée.",
		EN: "Stopped. Everything is in " + d.o.Data + "; the same command goes on where this one stopped."}.In(d.o.Lang))
}

// showProgress draws the telling of the history: a bar on a terminal, a line
// now and then elsewhere. The function that it returns ends the drawing.
func (d *demo) showProgress(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	f, isFile := d.o.Out.(*os.File)
	terminal := isFile && term.IsTerminal(int(f.Fd()))
	every := 5 * time.Second
	if terminal {
		every = 200 * time.Millisecond
	}
	began := time.Now()
	wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				d.draw(d.o.Out, terminal)
			case <-ctx.Done():
				if share, _ := d.progress.Progress(); share >= 1 {
					d.draw(d.o.Out, terminal)
					fmt.Fprintf(d.o.Out, "%s\n", metering.Text{
						FR: fmt.Sprintf("Historique chargé en %d s. Les passerelles lisent les compteurs.", int(time.Since(began).Seconds())),
						EN: fmt.Sprintf("History loaded in %d s. The gateways read the meters.", int(time.Since(began).Seconds()))}.In(d.o.Lang))
				}
				return
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

func (d *demo) draw(w io.Writer, terminal bool) {
	const width = 30
	share, text := d.progress.Progress()
	n := int(share * width)
	bar := make([]rune, width)
	for i := range bar {
		bar[i] = '.'
		if i < n {
			bar[i] = '#'
		}
	}
	line := fmt.Sprintf("[%s] %3.0f %%  %s", string(bar), 100*share, text.In(d.o.Lang))
	if terminal {
		fmt.Fprintf(w, "\r\033[K%s", line)
		if share >= 1 {
			fmt.Fprintln(w)
		}
		return
	}
	fmt.Fprintln(w, line)
}
