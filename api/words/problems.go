package words

// problems say what happened, what it means and what to do.
var problems = map[string]entry{
	"problem.400.title": {FR: "Cette demande n'a pas de sens pour le serveur", EN: "The server could not make sense of this request"},
	"problem.400.what":  {FR: "Une partie de l'adresse ou du formulaire n'a pas la forme attendue. Rien n'a été changé.", EN: "Part of the address or the form does not have the expected shape. Nothing was changed."},
	"problem.400.do":    {FR: "Revenez à la page précédente et choisissez une valeur proposée.", EN: "Go back and choose one of the values offered."},
	"problem.401.title": {FR: "Il faut se connecter", EN: "Sign in first"},
	"problem.401.what":  {FR: "Cette adresse répond seulement aux personnes connectées.", EN: "This address answers only people who are signed in."},
	"problem.401.do":    {FR: "Connectez-vous, puis reprenez.", EN: "Sign in, then try again."},
	"problem.403.title": {FR: "Cette page n'est pas pour votre rôle", EN: "This page is not for your role"},
	"problem.403.what":  {FR: "Les droits du programme réservent cette page à d'autres rôles. Les chiffres n'en sont pas changés.", EN: "The programme's rights keep this page for other roles. No figure is changed by this."},
	"problem.403.do":    {FR: "Si vous en avez besoin, demandez à l'administration du programme quel rôle il vous faut.", EN: "If you need it, ask the programme's administrator which role you should have."},
	"problem.404.title": {FR: "Il n'y a rien à cette adresse", EN: "There is nothing at this address"},
	"problem.404.what":  {FR: "La page n'existe pas, ou elle ne vous est pas ouverte.", EN: "The page does not exist, or it is not open to you."},
	"problem.404.do":    {FR: "Partez de la navigation ci-dessus. Pour voir une entreprise, il faut son consentement : demandez-le-lui.", EN: "Start from the navigation above. To see a company its consent is needed: ask the company."},
	"problem.405.title": {FR: "Cette adresse ne fait pas cela", EN: "This address does not do that"},
	"problem.405.what":  {FR: "La page existe, mais pas pour ce genre de demande. Rien n'a été changé.", EN: "The page exists, but not for this kind of request. Nothing was changed."},
	"problem.405.do":    {FR: "Partez de la navigation ci-dessus.", EN: "Start from the navigation above."},
	"problem.413.title": {FR: "C'est trop long", EN: "That is too long"},
	"problem.413.what":  {FR: "Le formulaire envoyé dépasse la taille admise. Rien n'a été changé.", EN: "The form sent is larger than is accepted. Nothing was changed."},
	"problem.413.do":    {FR: "Raccourcissez le texte et renvoyez-le.", EN: "Shorten the text and send it again."},
	"problem.500.title": {FR: "Le serveur n'a pas pu répondre", EN: "The server could not answer"},
	"problem.500.what":  {FR: "Une erreur inattendue s'est produite. Les relevés et les chiffres enregistrés n'en sont pas touchés.", EN: "Something unexpected went wrong. Stored readings and figures are not affected."},
	"problem.500.do":    {FR: "Réessayez dans une minute. Si cela continue, donnez l'heure et l'adresse de la page à l'administration : le journal du serveur dit pourquoi.", EN: "Try again in a minute. If it goes on, give the time and the page's address to the administrator: the server's log says why."},
	"problem.quarter":   {FR: "« %s » n'est pas un trimestre. Exemple : 2026-Q3.", EN: "“%s” is not a quarter. Example: 2026-Q3."},
	"problem.home":      {FR: "Retour à l'accueil", EN: "Back to the start"},
}
