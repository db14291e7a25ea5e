setTimeout(() => console.log("0"), 60000);
